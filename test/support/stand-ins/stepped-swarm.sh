#!/bin/sh
# A swarm whose steps a test can watch and hold: at the step `x` it makes the file `at-x`, and waits while there is a
# file `hold-x`. Each run leaves a line in `runs`, the text of its task. Where there is a file `turn-on-parent`, a run's
# first act is to kill whoever started it. A noisy task prints 300 kB. The working directory is where all these are; that
# the swarm has been made ready is in the file that comes as the second argument.
step() {
  : > "at-$1"
  while [ -e "hold-$1" ]; do sleep 0.05; done
}
case "$1" in
check)
  step check
  [ -e "$2" ] && echo ready || echo not ready
  ;;
list)
  step list
  echo none
  ;;
prepare) : > "$2" ;;
spawn)
  [ -e "$2" ] || exit 1
  [ -e turn-on-parent ] && rm turn-on-parent && kill -9 $PPID
  echo "$3" >> runs
  step begun
  echo "swarm: swarm-$$"
  step working
  case "$3" in *noisy*) seq 1 50000 ;; esac
  echo done
  ;;
esac
