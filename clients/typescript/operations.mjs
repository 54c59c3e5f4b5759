// One document for each field of the roots, made from the schema: it selects all that needs no argument.
import { getNamedType, isAbstractType, isCompositeType, isInterfaceType, isRequiredArgument, isUnionType } from "graphql";

export function operations(schema) {
  const roots = { query: schema.getQueryType(), mutation: schema.getMutationType(), subscription: schema.getSubscriptionType() };
  return Object.entries(roots)
    .flatMap(([kind, root]) => Object.values(root?.getFields() ?? {}).map((field) => operation(schema, kind, field)))
    .join("\n\n");
}

function operation(schema, kind, field) {
  // A query and a subscription may have one name; documents of a client may not.
  const name = (kind === "subscription" ? "Follow" : "") + field.name[0].toUpperCase() + field.name.slice(1);
  const listed = (one, separator) => (field.args.length ? `(${field.args.map(one).join(separator)})` : "");
  const variables = listed((argument) => `$${argument.name}: ${argument.type}`, ", ");
  const given = listed((argument) => `${argument.name}: $${argument.name}`, ", ");
  return `${kind} ${name}${variables} {\n  ${field.name}${given}${selection(schema, getNamedType(field.type), [])}\n}`;
}

// `above` has the types around this one, which are not selected again.
function selection(schema, type, above) {
  if (!isCompositeType(type)) return "";
  if (!isAbstractType(type)) return ` { ${fields(schema, type, above, []).join(" ")} }`;
  const members = schema.getPossibleTypes(type);
  const shared = isInterfaceType(type) ? [type] : commonInterfaces(members);
  const parts = members.map((member) => {
    const known = shared.filter((each) => member.getInterfaces().includes(each)).flatMap((each) => Object.keys(each.getFields()));
    const own = fields(schema, member, above, known);
    return own.length ? `... on ${member.name} { ${own.join(" ")} }` : "";
  });
  const common = shared.map((each) => {
    const inner = fields(schema, each, above, []).join(" ");
    return isUnionType(type) ? `... on ${each.name} { ${inner} }` : inner;
  });
  return ` { ${["__typename", ...common, ...parts].filter(Boolean).join(" ")} }`;
}

// Interfaces that several members have: their fields are selected once.
function commonInterfaces(members) {
  const all = members.flatMap((member) => member.getInterfaces());
  return [...new Set(all.filter((each, at) => all.indexOf(each) !== at))];
}

function fields(schema, type, above, known) {
  return Object.values(type.getFields())
    .filter((field) => !known.includes(field.name) && !field.args.some(isRequiredArgument))
    .filter((field) => !above.includes(getNamedType(field.type)))
    .map((field) => field.name + selection(schema, getNamedType(field.type), [...above, type]));
}
