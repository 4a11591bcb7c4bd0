import { type Command, EXIT } from "../command.ts";

export const sidecar: Command = {
  summary: "Run the sidecar, beside the host of the swarm's container",
  usage: "sidecar",
  example: 'SIDECAR_KEYS=\'{"k1":"<base64>"}\' hivegate sidecar',
  options: {},
  words: [0, 0],
  async run() {
    // It is the whole program from here on: it listens, hears signals and ends the process by itself.
    await import("../../main.ts");
    return EXIT.done;
  },
};
