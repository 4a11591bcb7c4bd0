/** The resources that the suite wants. */
import { type McpServer, ResourceTemplate } from "@modelcontextprotocol/server";
import { PNG } from "./content.ts";

export const WATCHED_URI = "test://watched-resource";

const TEXTS = [
  { name: "static-text", uri: "test://static-text", text: "The content of the static text resource." },
  { name: "watched-resource", uri: WATCHED_URI, text: "Watched" },
];

export function registerResources(server: McpServer): void {
  for (const { name, uri, text: value } of TEXTS)
    server.registerResource(name, uri, { description: "A text", mimeType: "text/plain" }, () => ({
      contents: [{ uri, mimeType: "text/plain", text: value }],
    }));
  const binary = { uri: "test://static-binary", mimeType: "image/png" };
  server.registerResource(
    "static-binary",
    binary.uri,
    { description: "An image", mimeType: binary.mimeType },
    () => ({ contents: [{ ...binary, blob: PNG }] }),
  );
  server.registerResource(
    "template",
    new ResourceTemplate("test://template/{id}/data", { list: undefined }),
    { description: "One for each id", mimeType: "application/json" },
    ({ href }, { id }) => ({
      contents: [{ uri: href, mimeType: "application/json", text: JSON.stringify({ id }) }],
    }),
  );
}
