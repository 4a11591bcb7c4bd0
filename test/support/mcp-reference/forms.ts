/** The forms that the elicitation tools show. */
const CHOICES = [
  { const: "value1", title: "First" },
  { const: "value2", title: "Second" },
  { const: "value3", title: "Third" },
];

export const NAME_FORM = {
  type: "object" as const,
  properties: { name: { type: "string" as const } },
  required: ["name"],
};

export const RESPONSE_FORM = {
  type: "object" as const,
  properties: { response: { type: "string" as const } },
  required: ["response"],
};

export const CONFIRM_FORM = {
  type: "object" as const,
  properties: { ok: { type: "boolean" as const } },
  required: ["ok"],
};

/** A default of each type (SEP-1034). */
export const DEFAULTS_FORM = {
  type: "object" as const,
  properties: {
    name: { type: "string" as const, default: "John Doe" },
    age: { type: "integer" as const, default: 30 },
    score: { type: "number" as const, default: 95.5 },
    status: { type: "string" as const, enum: ["active", "inactive", "pending"], default: "active" },
    verified: { type: "boolean" as const, default: true },
  },
};

/** Each way to offer a choice (SEP-1330). */
export const ENUMS_FORM = {
  type: "object" as const,
  properties: {
    untitledSingle: { type: "string" as const, enum: ["option1", "option2", "option3"] },
    titledSingle: { type: "string" as const, oneOf: CHOICES },
    legacyEnum: { type: "string" as const, enum: ["opt1", "opt2"], enumNames: ["One", "Two"] },
    untitledMulti: {
      type: "array" as const,
      minItems: 1,
      items: { type: "string" as const, enum: ["option1", "option2", "option3"] },
    },
    titledMulti: { type: "array" as const, minItems: 1, items: { anyOf: CHOICES } },
  },
};
