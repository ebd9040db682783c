import { invalidArgument, unimplemented } from './errors.ts';
import type { Secret } from './secret.ts';
import type { SecretVersion } from './version.ts';

type Condition<Item> = (item: Item) => boolean;

/** Gives the condition that `field operator value` stands for, or undefined where it is none that is known here. */
type Reading<Item> = (field: string, operator: string, value: string) => Condition<Item> | undefined;

/**
 * Reads a filter of ListSecrets.
 *
 * @throws UNIMPLEMENTED outside of what is supported
 * @see https://cloud.google.com/secret-manager/docs/filtering
 */
export function parseSecretFilter(filter: unknown): Condition<Secret> {
  return parse<Secret>(filter, (field, operator, value) => {
    const [, label] = /^labels\.(.+)$/.exec(field) ?? [];
    if (label !== undefined && operator === ':' && value === '*') {
      return ({ settings }) => Object.hasOwn(settings.labels, label);
    }
    if (value.includes('*')) return undefined;
    if (label !== undefined && operator === '=') return ({ settings }) => settings.labels[label] === value;
    if (field === 'name' && operator === ':') return ({ name }) => name.includes(value);
    return undefined;
  });
}

/** Reads a filter of ListSecretVersions, as {@link parseSecretFilter} does. */
export function parseVersionFilter(filter: unknown): Condition<SecretVersion> {
  return parse<SecretVersion>(filter, (field, operator, value) => {
    if (field !== 'state') return undefined;
    const state = value.toUpperCase();
    if (!['ENABLED', 'DISABLED', 'DESTROYED'].includes(state)) {
      throw invalidArgument(`Invalid filter: ${field}${operator}${value}`);
    }
    return (version) => version.state === state;
  });
}

/** Terms that all have to hold: a space between them says the same as AND. */
const term = /^([\w.-]+?)\s*(=|:)\s*(?:"([^"\\]*)"|([^\s"()]+))(?:\s+|$)/u;

function parse<Item>(filter: unknown, read: Reading<Item>): Condition<Item> {
  const conditions: Condition<Item>[] = [];
  let rest = String(filter ?? '').trim();
  while (rest !== '') {
    const [all, field, operator, quoted, bare] = term.exec(rest) ?? [];
    const value = quoted ?? bare;
    const condition =
      field === undefined || operator === undefined || value === undefined
        ? undefined
        : read(field, operator, value);
    if (all === undefined || condition === undefined) throw unimplemented(`the filter '${filter}'`);
    conditions.push(condition);
    rest = rest.slice(all.length).replace(/^AND\s+/, '');
  }
  return (item) => conditions.every((holds) => holds(item));
}
