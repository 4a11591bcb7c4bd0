import { once } from "node:events";
import { createServer } from "node:http";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { type Alert, Alerts, type SentAlert } from "../../../sidecar/alerts.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";

const ALERT: Alert = { kind: "config_refused", message: "line 3 is wrong", details: { line: 3 } };

/** A real webhook, which answers as `statuses` say and then with 200. */
async function webhook(statuses: number[] = []) {
  const received: SentAlert[] = [];
  const server = createServer(async (request, response) => {
    const chunks = await request.toArray();
    const status = statuses.shift() ?? 200;
    if (status === 200) received.push(JSON.parse(Buffer.concat(chunks).toString()));
    response.writeHead(status, status === 302 ? { location: "http://127.0.0.1:1/" } : {}).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return { url: `http://127.0.0.1:${port}/hook?key=s3cret`, received };
}

function newAlerts(webhookUrl: string | null) {
  const clock = new ManualClock();
  const { log, lines } = recordingLog();
  const counted: string[] = [];
  const alerts = new Alerts({ hive: "h", webhookUrl, count: (kind) => void counted.push(kind), clock, log });
  onTestFinished(() => alerts.close());
  return { alerts, clock, lines, counted };
}

/** Tries wait on the manual clock. */
async function settled(alerts: Alerts, clock: ManualClock): Promise<void> {
  let isSettled = false;
  void alerts.settled().then(() => {
    isSettled = true;
  });
  await vi.waitUntil(() => {
    clock.advance(1_000);
    return isSettled;
  });
}

describe("alerts", () => {
  it("C5 are logged, counted and sent, with what a program needs to go by", async () => {
    const { url, received } = await webhook();
    const { alerts, clock, lines, counted } = newAlerts(url);
    alerts.raise(ALERT);
    await alerts.settled();
    expect(received).toEqual([{ ...ALERT, hive: "h", at: clock.now(), times: 1 }]);
    expect(counted).toEqual(["config_refused"]);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: 50, alert: "config_refused", msg: "line 3 is wrong", details: { line: 3 } },
    ]);
  });

  it("C5 are told of once a minute when they are equal, and how many they were", async () => {
    const { url, received } = await webhook();
    const { alerts, clock, lines, counted } = newAlerts(url);
    for (let time = 0; time < 5; time++) alerts.raise(ALERT);
    alerts.raise({ ...ALERT, message: "another" });
    await alerts.settled();
    clock.advance(60_000);
    await alerts.settled();
    expect(received.map(({ message, times }) => [message, times])).toEqual([
      ["line 3 is wrong", 1],
      ["another", 1],
      ["line 3 is wrong", 4],
    ]);
    expect(lines).toHaveLength(3);
    expect(counted).toHaveLength(6);
    alerts.raise(ALERT);
    await alerts.settled();
    expect(received.at(-1)).toMatchObject({ message: "line 3 is wrong", times: 1 });
  });

  it("C5 are sent three times at most, and the log never holds the webhook's address", async () => {
    const { url, received } = await webhook([500, 302]);
    const { alerts, clock, lines } = newAlerts(url);
    alerts.raise(ALERT);
    await settled(alerts, clock);
    expect(received).toHaveLength(1);
    const failing = await webhook([500, 500, 500]);
    const second = newAlerts(failing.url);
    second.alerts.raise(ALERT);
    await settled(second.alerts, second.clock);
    expect(failing.received).toEqual([]);
    expect(second.lines.at(-1)).toContain("could not be sent");
    expect([...lines, ...second.lines].join("")).not.toContain("s3cret");
  });

  it("C5 wait within a limit for a webhook that does not answer, and raising them throws nothing", async () => {
    const { alerts, lines, counted } = newAlerts("http://127.0.0.1:1/");
    const many = LIMITS.alertsWaiting + 50;
    for (let n = 0; n < many; n++) alerts.raise({ ...ALERT, message: `number ${n}` });
    expect(counted).toHaveLength(many);
    expect(lines.filter((line) => line.includes("too many wait"))).toHaveLength(49);
    alerts.close();
    await alerts.settled();
  });

  it("C5 need no webhook", async () => {
    const { alerts, lines } = newAlerts(null);
    alerts.raise(ALERT);
    await alerts.settled();
    expect(lines).toHaveLength(1);
  });
});
