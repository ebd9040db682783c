import type { JsonObject } from '../http/json.ts';
import { invalid } from './errors.ts';
import { objectOf } from './fields.ts';

export type Labels = Readonly<Record<string, string>>;

const key = /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u;
const value = /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u;
const maximum = 64;

/**
 * @throws ApiError 400
 * @see https://cloud.google.com/bigquery/docs/labels-intro#requirements
 */
export function labelsOf(object: JsonObject): Labels | undefined {
  const labels = objectOf(object, 'labels');
  if (labels === undefined) return undefined;
  const entries = Object.entries(labels);
  if (entries.length > maximum) throw invalid(`At most ${maximum} labels are allowed`);
  for (const [name, text] of entries) {
    if (!key.test(name)) throw invalid(`Label key ${name} is not valid`);
    if (typeof text !== 'string' || !value.test(text)) {
      throw invalid(`Label value ${text} of ${name} is not valid`);
    }
  }
  return entries.length === 0 ? undefined : (labels as Labels);
}

/**
 * What a filter such as `labels.team:a labels.tier` looks for.
 *
 * @throws ApiError 400
 * @see https://cloud.google.com/bigquery/docs/filtering-labels
 */
export function labelFilter(filter = ''): (labels: Labels | undefined) => boolean {
  const terms = filter.split(/\s+/).filter(Boolean).map(readTerm);
  return (labels = {}) =>
    terms.every(([name, wanted]) => (wanted ? labels[name] === wanted : Object.hasOwn(labels, name)));
}

function readTerm(term: string): readonly [name: string, wanted: string | undefined] {
  const [, name, wanted] = /^labels\.([^:]+)(?::(.*))?$/.exec(term) ?? [];
  if (name === undefined) throw invalid(`Invalid filter: ${term}`);
  return [name, wanted];
}
