declare namespace Cloudflare {
  interface Env {
    HIVE: DurableObjectNamespace<import("../../worker/index.ts").HiveObject>;
    SHARD: DurableObjectNamespace<import("../../worker/index.ts").ShardObject>;
    HIVES: string;
    SIDECAR_KEYS: string;
    JWT_SECRET: string;
  }
  interface GlobalProps {
    mainModule: typeof import("../../worker/index.ts");
  }
}
