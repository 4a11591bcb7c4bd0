/** The test's hand on the sidecar of `fake-sidecar-service.ts`. */
import { z } from "zod";
import type { TelemetryLine } from "../../shared/protocol/sidecar.ts";

const Observed = z.object({
  requests: z.array(
    z.object({
      method: z.string(),
      path: z.string(),
      query: z.string(),
      headers: z.record(z.string(), z.string()),
      body: z.string(),
    }),
  ),
  isWatched: z.boolean(),
});

async function control(command: unknown): Promise<z.infer<typeof Observed>> {
  const response = await fetch("http://control/", { method: "POST", body: JSON.stringify(command) });
  return Observed.parse(await response.json());
}

export const sidecar = {
  reset: () => control({ reset: true }),
  /** What it has been asked, and whether somebody reads its telemetry. */
  observe: () => control({}),
  emit: (line: TelemetryLine) => control({ emit: line }),
  hangUp: () => control({ hangUp: true }),
  /** `null` takes the answer back. */
  answers: (route: string, body: unknown, status = 200) =>
    control({
      answers: { [route]: { status, body: typeof body === "string" ? body : JSON.stringify(body) } },
    }),
};
