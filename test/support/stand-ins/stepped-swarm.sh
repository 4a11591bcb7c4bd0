#!/bin/sh
# A swarm whose steps a test can watch and hold: at the step `x` it makes the file `at-x`, and waits while there is a
# file `hold-x`. Each run leaves a line in `runs`, the text of its task. Where there is a file `turn-on-parent`, a run's
# first act is to kill whoever started it. The working directory is where all these are.
step() {
  : > "at-$1"
  while [ -e "hold-$1" ]; do sleep 0.05; done
}
case "$1" in
check)
  step check
  echo ready
  ;;
spawn)
  [ -e turn-on-parent ] && rm turn-on-parent && kill -9 $PPID
  echo "$2" >> runs
  step begun
  echo "swarm: swarm-$$"
  step working
  echo done
  ;;
esac
