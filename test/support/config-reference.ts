/** The reference of `.mcp.json`, as tables, out of the schema that editors use. */
import { z } from "zod";
import { mcpFileSchema } from "../../sidecar/config/file/json-schema.ts";

const Field = z.object({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  description: z.string().optional(),
  default: z.unknown().optional(),
  enum: z.array(z.string()).optional(),
  const: z.unknown().optional(),
  get properties() {
    return z.record(z.string(), Field).optional();
  },
  get items() {
    return Field.optional();
  },
  get anyOf() {
    return z.array(Field).optional();
  },
  get additionalProperties() {
    return z.union([z.boolean(), Field]).optional();
  },
  required: z.array(z.string()).default([]),
});
type Field = z.infer<typeof Field>;

const INTRODUCTION = `# Fields of \`.mcp.json\`

Made from [mcp.schema.json](mcp.schema.json) by \`npm run docs\`; an example is [mcp.example.json](mcp.example.json). The file is
\`{"mcpServers": {name: server, …}}\`, in JSON with comments and trailing commas. Any text may hold \`\${NAME}\` or
\`\${NAME:-default}\`, which stand for the sidecar's variables; \`$\${\` stands for \`\${\`. Without a \`type\` a server with \`command\` is
\`stdio\` (with \`container\` \`docker-exec\`), one with \`url\` is \`http\` or \`ws\` by its protocol, and one with \`host\` is \`tcp\`.
`;

export function configReference(): string {
  const servers = Field.parse(mcpFileSchema()).properties?.mcpServers?.additionalProperties;
  const kinds = (typeof servers === "object" && servers.anyOf) || [];
  const [first, ...others] = kinds.map((kind) => Object.keys(kind.properties ?? {}));
  const isCommon = (name: string) => name !== "type" && others.every((names) => names.includes(name));
  const common = (first ?? []).filter(isCommon);
  const sections = kinds.map((kind) => {
    const types = kind.properties?.type?.enum ?? [];
    const own = Object.keys(kind.properties ?? {}).filter((name) => !common.includes(name));
    return section(types.map((type) => `\`${type}\``).join(", "), kind, own);
  });
  const every = kinds[0] ? [section("Every server", { ...kinds[0], description: "" }, common)] : [];
  return [INTRODUCTION, ...sections, ...every].join("\n");
}

function section(title: string, kind: Field, names: readonly string[]): string {
  const rows = names.flatMap((name) => {
    const field = kind.properties?.[name];
    return field && name !== "type" ? rowsOf(name, field, kind.required.includes(name)) : [];
  });
  const about = kind.description ? `${kind.description}\n\n` : "";
  return `## ${title}\n\n${about}| Field | Value |  |\n| --- | --- | --- |\n${rows.join("\n")}\n`;
}

function rowsOf(name: string, field: Field, isRequired: boolean): string[] {
  const required = isRequired ? "Required. " : "";
  const fallback = field.default === undefined ? "" : ` Default \`${JSON.stringify(field.default)}\`.`;
  const own = `| \`${name}\` | ${valueOfField(field)} | ${required}${field.description ?? ""}${fallback} |`;
  const inner = Object.entries(field.properties ?? {});
  return [
    own,
    ...inner.flatMap(([key, value]) => rowsOf(`${name}.${key}`, value, field.required.includes(key))),
  ];
}

const plain = (type: string): string => (type === "string" ? "text" : type === "integer" ? "number" : type);

function valueOfField({ type, anyOf, enum: words, const: constant, items, ...field }: Field): string {
  if (words) return words.map((word) => `\`${word}\``).join(", ");
  if (constant !== undefined) return `\`${JSON.stringify(constant)}\``;
  if (anyOf) return [...new Set(anyOf.map(valueOfField))].join(" or ");
  if (items) return `list of ${valueOfField(items)}s`;
  const values = field.additionalProperties;
  if (typeof values === "object") return `object of names and ${valueOfField(values)}s`;
  return type === undefined ? "anything" : [type].flat().map(plain).join(" or ");
}
