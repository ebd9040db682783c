import { styleText } from 'node:util';
import * as z from 'zod';
import type { OperationRecord } from '../shared/registry/operations.ts';
import { noteLines } from './error-report.ts';
import { printableLine } from './printable.ts';

/** What the function says of each part of a manifest. */
const planned = z.object({
  items: z.array(
    z.object({
      key: z.string(),
      /** What it is, for people: `project:region:name/app.billing`. */
      about: z.string(),
      state: z.enum(['unchanged', 'change', 'refused']),
      function: z.string(),
      changes: z.array(z.string()).default([]),
      /** Why it is refused. */
      problem: z
        .union([
          z.string(),
          z
            .object({ code: z.string(), message: z.string() })
            .transform(({ code, message }) => `${code}: ${message}`),
        ])
        .nullish(),
    }),
  ),
  /** So many others a record has no room for; they come last, and nothing of them is refused that isn't counted. */
  more: z.number().default(0),
});

export type Planned = z.infer<typeof planned>;
type PlannedItem = Planned['items'][number];

/** What a plan's record says of the parts of a manifest; undefined where it has none. */
export function plannedIn({ result }: Pick<OperationRecord, 'result'>): Planned | undefined {
  return planned.safeParse(result).data;
}

type Counted = Pick<OperationRecord, 'summary'>;

/** How many of them would be refused. */
export function refusedIn({ items }: Planned, { summary = {} }: Counted): number {
  return summary['refused'] ?? items.filter(({ state }) => state === 'refused').length;
}

/** What only adds is told from what changes something that is there. */
const onlyAdds = /^(?:create|grant)\b/;

const signs = {
  create: { sign: '+', colour: 'green' },
  change: { sign: '~', colour: 'yellow' },
  unchanged: { sign: '=', colour: 'gray' },
  refused: { sign: '!', colour: 'red' },
} as const;

function kindOf({ state, changes }: PlannedItem): keyof typeof signs {
  if (state !== 'change') return state;
  return changes.length > 0 && changes.every((change) => onlyAdds.test(change)) ? 'create' : 'change';
}

/** What a manifest would do, for people, in the order in which it is done. */
export function planReport(plan: Planned, record: Counted & Pick<OperationRecord, 'notes'>): string[] {
  const { items, more } = plan;
  const { summary = {}, notes = [] } = record;
  const width = Math.max(0, ...items.map(({ key }) => printableLine(key).length));
  const count = (state: PlannedItem['state']) => items.filter((item) => item.state === state).length;
  const { changed = count('change'), unchanged = count('unchanged') } = summary;
  return [
    ...items.flatMap((item) => {
      const { sign, colour } = signs[kindOf(item)];
      const line = `${sign} ${printableLine(item.key).padEnd(width)}  ${printableLine(item.about)}`;
      return [
        styleText(colour, line.trimEnd()),
        ...item.changes.map((change) => `    ${printableLine(change)}`),
        ...(item.problem ? [`    ${printableLine(item.problem)}`] : []),
      ];
    }),
    ...(more > 0 ? [`… and ${more} more`] : []),
    ...(notes.length > 0 ? ['', ...noteLines(notes)] : []),
    '',
    `${changed} to change, ${unchanged} as it is, ${refusedIn(plan, record)} refused`,
  ];
}
