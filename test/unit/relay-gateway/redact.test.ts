import * as fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { redact } from "../../../worker/relay/redact.ts";
import { isSecretName, maybeSecret } from "../../../worker/relay/secrets.ts";

const JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlc2ln";
const PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----";

const NAMES = [
  ...[
    "password",
    "dbPassword",
    "secret",
    "client_secret",
    "token",
    "accessToken",
    "API_KEY",
    "apiKey",
    "api-key",
  ],
  ...[
    "Authorization",
    "cookie",
    "Set-Cookie",
    "private_key",
    "privateKey",
    "aws_secret_access_key",
    "x-api-key",
  ],
  ...["credentials", "passphrase", "refresh_token", "jwt", "pwd", "api.key"],
  ...["accesstoken", "authtoken", "clientsecret", "dbpwd"],
];
const HARMLESS = [
  ...[
    "progressToken",
    "nextPageToken",
    "tokens",
    "max_tokens",
    "token_usage",
    "tokenRate",
    "key",
    "keyboard",
  ],
  ...["cursor", "task", "tokenizer", "secretary"],
];

const SECRETS = fc.constantFrom(
  JWT,
  PEM,
  "Bearer abcdefgh12345678",
  "sk-proj-abcdefghijklmnop",
  "ghp_abcdefghijklmnopqrst",
  "AKIAABCDEFGHIJKLMNOP",
  "xoxb-1234567890-abc",
);
/** What can stand before and after a secret. */
const around = fc.string({ unit: fc.constantFrom("a", " ", "\n", '"', "\\", "é", "}", "\u2028", ":") });

describe("which fields are secret", () => {
  it("R5 goes by their names, however they are written", () => {
    expect(NAMES.filter((name) => !isSecretName(name))).toEqual([]);
    expect(HARMLESS.filter(isSecretName)).toEqual([]);
  });

  it("R5 suspects every text that holds one", () => {
    const separators = fc.constantFrom("", " ", "_", "-", ".");
    const word = fc.oneof(
      fc.constantFrom("api", "key", "token", "password", "Secret", "private", "cookie"),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(word), separators, (parts, separator) => {
        const name = parts.join(separator);
        if (isSecretName(name)) expect(maybeSecret(JSON.stringify({ [name]: 1 }))).toBe(true);
      }),
    );
  });
});

describe("redaction", () => {
  it("R5 leaves a message without secrets as it was written, byte for byte", () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom("", " ", "\n"), (json, space) => {
        const text = `${space}${json}${space}`;
        fc.pre(!maybeSecret(text));
        expect(redact(text)).toBe(text);
      }),
    );
    const exact =
      '{ "jsonrpc":"2.0", "id": 12345678901234567890, "1":1.0, "params":{"n":1e400,"_meta":{"progressToken":7},"cookie":null}}';
    expect(redact(exact)).toBe(exact);
  });

  it("R5 replaces the value of a secret field wherever it is, and nothing beside it", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...NAMES),
        fc.jsonValue(),
        fc.integer({ min: 0, max: 3 }),
        (name, other, depth) => {
          const secret = "hunter2hunter2";
          const fields: object = {
            before: other,
            [name]: secret,
            after: [1, { [name]: [secret, { deep: secret }] }],
          };
          const message = Array.from({ length: depth }).reduce<object>(
            (inner) => ({ text: JSON.stringify(inner) }),
            fields,
          );
          const clean = redact(JSON.stringify(message));
          expect(clean).not.toContain(secret);
          let read = JSON.parse(clean);
          for (let i = 0; i < depth; i++) read = JSON.parse(read.text);
          expect(Object.keys(read)).toEqual(Object.keys(fields));
          fc.pre(!maybeSecret(JSON.stringify(other)));
          expect(read.before).toEqual(JSON.parse(JSON.stringify(other)));
        },
      ),
    );
  });

  it("R5 replaces what looks like a secret in any text, and the message stays JSON", () => {
    fc.assert(
      fc.property(SECRETS, around, around, (secret, before, after) => {
        fc.pre(!/[\w-]$/.test(before) && !/^[\w-]/.test(after));
        const message = JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          params: { text: [`${before}${secret}${after}`] },
        });
        const clean = redact(message);
        expect(clean).not.toContain(JSON.stringify(secret).slice(1, -1));
        expect(JSON.parse(clean)).toMatchObject({ jsonrpc: "2.0", id: 1 });
        expect(JSON.parse(clean).params.text[0].startsWith(before)).toBe(true);
      }),
    );
  });

  it("R5 is not deceived by escapes", () => {
    expect(redact('{"\\u0070assword":"hunter2"}')).toBe('{"\\u0070assword":"[redacted]"}');
    expect(redact('{"text":"\\u0073k-abcdefghijklmnopqrst"}')).toBe('{"text":"[redacted]"}');
    expect(redact('{"a":"x\\nsk-abcdefghijklmnopqrst"}')).toBe('{"a":"x\\n[redacted]"}');
  });

  it("R5 leaves the schema of a tool whole that takes a secret", () => {
    const schema = { type: "object", properties: { token: { type: "string", description: "yours" } } };
    const text = JSON.stringify({ result: { tools: [{ name: "login", inputSchema: schema }] } });
    expect(redact(text)).toBe(text);
  });

  it("R5 finds what is assigned in plain text, in JSON or not", () => {
    expect(redact('{"out":"API_KEY=abcd1234 PATH=/bin"}')).toBe('{"out":"API_KEY=[redacted] PATH=/bin"}');
    expect(redact("log: Authorization: Bearer abcdefgh12345678")).toBe("log: Authorization: [redacted]");
  });

  it("R5 S6 leaves out a secret object or array as one, so that no message grows much", () => {
    const text = '{"token":[1,{"a":[2]}],"cookies":{"id":1},"password":[],"x":1}';
    expect(redact(text)).toBe('{"token":"[redacted]","cookies":"[redacted]","password":"[redacted]","x":1}');
    const many = JSON.stringify({ token: Array.from({ length: 10_000 }, (_, i) => i) });
    expect(redact(many)).toBe('{"token":"[redacted]"}');
  });

  it("S6 tells what is no JSON without an exception for each string, which takes seconds", () => {
    const strings = ["", "[", "[x] pwd", "password", '{"', '"a":'].flatMap((text) =>
      Array(50_000).fill(text),
    );
    const text = JSON.stringify({ hint: "pwd", strings });
    const parse = vi.spyOn(JSON, "parse");
    expect(redact(text)).toBe(text);
    expect(parse).not.toHaveBeenCalled();
  });

  it("R3 R5 keeps what a message is told and answered by, whatever it looks like, and nothing deeper", () => {
    const message = (id: string) => `{"jsonrpc":"2.0","id":"${id}","method":"m","params":{"id":"${JWT}"}}`;
    const clean = `{"jsonrpc":"2.0","id":"${JWT}","method":"m","params":{"id":"[redacted]"}}`;
    expect(redact(message(JWT))).toBe(clean);
    expect(redact(`[${message(JWT)},${message(JWT)}]`)).toBe(`[${clean},${clean}]`);
    expect(redact(`{"params":[[{"id":"${JWT}"}]]}`)).toBe('{"params":[[{"id":"[redacted]"}]]}');
  });

  it("R5 finds secret fields of JSON that stands behind words", () => {
    const text = (secret: string) =>
      JSON.stringify({ text: `Config:\n{"user":"ada", "password": ${secret}}` });
    expect(redact(text('"hunter2 \\" x"'))).toBe(text('"[redacted]"'));
    expect(redact(text("12345"))).toBe(text('"[redacted]"'));
  });

  it("R5 leaves ordinary words alone that also stand before secrets", () => {
    const words = "Write a basic calculator with bearer authentication: Authorization is required";
    expect(redact(words)).toBe(words);
    const header = "Authorization: Basic YWRhOmFkYWFkYWFk, basic YWRhOnB3MQ==";
    expect(redact(header)).toBe("Authorization: [redacted], [redacted]");
  });
});
