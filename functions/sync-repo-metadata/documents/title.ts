import { parseJson } from './json.ts';

const longest = 1_000;

/** What a title is taken from, the first that has one. */
export interface TitleSources {
  readonly metadata: unknown;
  /** The same with all digits of its numbers. */
  readonly json: string;
  /** The metadata's field, by its keys from the outside in, separated by dots. */
  readonly field: string;
  readonly heading: () => string | undefined;
}

/** @returns at most 1,000 UTF-16 units, none of them half a pair; undefined where there is nothing but blanks */
export function titleOf({ metadata, json, field, heading }: TitleSources): string | undefined {
  let title = fieldOf(metadata, field);
  // As it is written, and not as the nearest double is: 1.10 and 12345678901234567890.
  if (typeof title === 'number')
    title = fieldOf(
      parseJson(json, (digits) => digits),
      field,
    );
  const named = typeof title === 'string' ? title.trim() : '';
  return cut(named) || cut(heading() ?? '') || undefined;
}

function fieldOf(metadata: unknown, field: string): unknown {
  return field.split('.').reduce<unknown>((value, key) => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined;
    return Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
  }, metadata);
}

function cut(title: string): string {
  if (title.length <= longest) return title;
  const last = title.charCodeAt(longest - 1);
  const splitsPair = last >= 0xd800 && last <= 0xdbff;
  return title.slice(0, splitsPair ? longest - 1 : longest).trimEnd();
}
