import type * as z from 'zod';
import type { Path } from './places.ts';

/** Something that is wrong with a value, before it is known where in the file that is. */
export interface Issue {
  readonly path: Path;
  /** Of what the path leads to: itself, or its name. */
  readonly at: 'key' | 'value';
  readonly message: string;
}

/**
 * What zod found, in the words of a file.
 *
 * @param value what was parsed
 * @param most more than anybody reads; a hostile file has no end of them
 */
export function issuesOf(error: z.ZodError, value: unknown, most: number): Issue[] {
  const issues: Issue[] = [];
  for (const issue of error.issues) {
    if (issues.length >= most) break;
    const { path } = issue;
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys.slice(0, most))
        issues.push({ path: [...path, key], at: 'key', message: 'is not a field of a manifest' });
    } else if (issue.code === 'invalid_key') {
      issues.push({ path, at: 'key', message: issue.issues[0]?.message ?? issue.message });
    } else {
      issues.push({ path, at: 'value', message: messageOf(issue, valueAt(value, path)) });
    }
  }
  return issues.slice(0, most);
}

function messageOf(issue: z.core.$ZodIssue, value: unknown): string {
  if (value === undefined) return 'is missing';
  if (issue.code !== 'invalid_type') return issue.message;
  if (value === null && (issue.expected === 'object' || issue.expected === 'record'))
    return 'is empty: write {} where there is nothing to say';
  if (value === null && issue.expected === 'array') return 'is empty: write [] where there is nothing to say';
  return issue.message;
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (at, part) =>
      typeof at === 'object' && at !== null && Object.hasOwn(at, part) ? Reflect.get(at, part) : undefined,
    value,
  );
}
