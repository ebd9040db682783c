import { invalid } from './errors.ts';
import { type Field, fieldNamed } from './schema.ts';

/**
 * The fields that a list such as `a,e.d.f` names, in the schema's order.
 *
 * @throws ApiError 400 for a field that isn't there
 */
export function selectFields(fields: readonly Field[], selected: string | undefined): readonly Field[] {
  if (!selected) return fields;
  return select(
    fields,
    selected.split(',').map((path) => path.trim().split('.')),
    '',
  );
}

function select(fields: readonly Field[], paths: readonly string[][], prefix: string): readonly Field[] {
  const wanted = new Map<Field, string[][]>();
  for (const [name = '', ...rest] of paths) {
    const field = fieldNamed(fields, name);
    if (!field) throw invalid(`No such field: ${prefix}${name}.`);
    wanted.set(field, [...(wanted.get(field) ?? []), rest]);
  }
  return fields.flatMap((field) => {
    const rests = wanted.get(field);
    if (!rests) return [];
    if (rests.some((rest) => rest.length === 0)) return [field];
    return [{ ...field, fields: select(field.fields ?? [], rests, `${prefix}${field.name}.`) }];
  });
}
