import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { PLATFORM_FREE } from "../support/platform-free.ts";
import { fakeSidecarService } from "./fake-sidecar-service.ts";

/** Secrets of these tests alone. Whatever the worker fetches comes to the fake sidecar. */
const SECRET = Buffer.alloc(32, "workerd tests").toString("base64");

export default defineConfig({
  plugins: [
    cloudflareTest({
      wrangler: { configPath: "../../wrangler.toml" },
      miniflare: {
        bindings: { SIDECAR_KEYS: JSON.stringify({ dev: SECRET }), JWT_SECRET: SECRET },
        outboundService: fakeSidecarService(),
      },
    }),
  ],
  test: {
    name: "workerd",
    include: ["**/*.test.ts", ...PLATFORM_FREE],
    testTimeout: 15_000,
    sequence: { groupOrder: 3 },
  },
});
