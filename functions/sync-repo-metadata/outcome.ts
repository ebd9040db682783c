import type { Change, Note, Outcome } from '../../shared/operation/outcome.ts';
import type { EnsuredSchema } from '../../shared/schemas/ensure.ts';
import type { Synced } from './sync.ts';
import { createTables, tables } from './tables/definition.ts';
import type { Counts } from './tables/state.ts';
import type { Wanted, Writing } from './tables/transactions.ts';
import { viewStatements } from './tables/views.ts';

/** So many problems are in the result; the table `syncs` has more. */
const shownProblems = 20;

/** What the operation says of a run, and with it the result event. */
export function outcomeOf(wanted: Wanted, synced: Synced, made: EnsuredSchema): Outcome {
  const { repository, schema } = wanted;
  switch (synced.kind) {
    case 'superseded':
      return { changes: made.changes, notes: [...made.notes, { code: 'SUPERSEDED', message: synced.why }] };
    case 'planned': {
      const { writing } = synced;
      const { scanned, present, views } = writing;
      const { added, updated } = scanned?.staged ?? { added: 0, updated: 0 };
      const counts = { added, updated, deleted: scanned?.gone.length ?? 0 };
      const before = present.known.length;
      const summary: Counts = {
        documents: before + added - counts.deleted,
        ...counts,
        unchanged: before - updated - counts.deleted,
        problems: scanned?.problems.count ?? present.stored?.problems ?? 0,
      };
      const tablesMade = present.createsTables ? createTables(schema) : [];
      return {
        changes: [...made.changes, ...changesOf(wanted, writing, counts)],
        notes: [...made.notes, ...notesOf(writing)],
        statements: [
          ...made.statements,
          ...[...tablesMade, ...viewStatements(schema, views)].map(({ text }) => text.trim()),
        ],
        summary: { ...summary },
        result: {
          repository,
          schema,
          commit: writing.commit,
          problems: scanned?.problems.first.slice(0, shownProblems) ?? [],
        },
      };
    }
    case 'done':
    case 'written': {
      const { run, collections } = synced;
      const writing = synced.kind === 'written' ? synced.writing : undefined;
      const { added, updated, deleted } = run.counts;
      return {
        changes: [
          ...made.changes,
          ...(writing ? changesOf(wanted, writing, { added, updated, deleted }) : []),
        ],
        notes: [...made.notes, ...(writing ? notesOf(writing) : [])],
        summary: { ...run.counts },
        result: {
          repository,
          schema,
          commit: run.commit,
          committedAt: run.committedAt?.toISOString(),
          previousCommit: writing?.present.stored?.commit,
          number: run.number,
          collections,
          problems: run.problems.slice(0, shownProblems),
        },
      };
    }
  }
}

function changesOf(
  { schema, repository }: Wanted,
  { present, views }: Writing,
  { added, updated, deleted }: Pick<Counts, 'added' | 'updated' | 'deleted'>,
): Change[] {
  const viewNames = new Set(Object.keys(present.relations));
  return [
    ...(present.createsTables
      ? tables.map((table): Change => ({ action: 'create', kind: 'table', name: `${schema}.${table}` }))
      : []),
    ...views.make.map(
      ({ name }): Change => ({
        action: viewNames.has(name) ? 'alter' : 'create',
        kind: 'view',
        name: `${schema}.${name}`,
      }),
    ),
    ...views.drop.map(
      (name): Change => ({ action: 'alter', kind: 'view', name: `${schema}.${name}`, detail: 'dropped' }),
    ),
    ...(added + updated + deleted > 0
      ? [
          {
            action: 'alter',
            kind: 'documents',
            name: `${schema}.documents`,
            detail: `of ${repository}: ${added} added, ${updated} updated, ${deleted} deleted`,
          } as const,
        ]
      : []),
  ];
}

function notesOf({ rewritten, present }: Writing): Note[] {
  if (!rewritten) return [];
  const message = `The ref was moved to a history without ${present.stored?.commit}, which was there: it is followed`;
  return [{ code: 'REWRITTEN', message }];
}
