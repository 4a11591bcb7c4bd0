import { z } from "zod";
import { McpFile } from "./schema.ts";

/** For editors: docs/config/mcp.schema.json. What other tools write beside it is left to them. */
export const mcpFileSchema = () => z.toJSONSchema(McpFile, { io: "input" });
