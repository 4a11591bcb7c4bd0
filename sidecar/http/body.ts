import { HivegateError } from "../../shared/errors.ts";

/**
 * A request's whole body; null when it is over the limit. A declared length is one that the HTTP parser
 * keeps to, so it is checked before the first byte is read; other bodies are counted as they come.
 * @throws HivegateError `invalid_request` when the connection breaks off
 */
export async function readBody(request: Request, limitBytes: number): Promise<Uint8Array | null> {
  if (request.method === "GET" || request.method === "HEAD") return new Uint8Array();
  const declared = request.headers.get("content-length");
  if (declared !== null && Number(declared) > limitBytes) return null;
  try {
    if (declared !== null) return new Uint8Array(await request.arrayBuffer());
    return request.body === null ? new Uint8Array() : await countedBody(request.body, limitBytes);
  } catch (cause) {
    throw new HivegateError("invalid_request", "The body did not arrive whole. Send it again.", { cause });
  }
}

async function countedBody(body: ReadableStream<Uint8Array>, limitBytes: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > limitBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}
