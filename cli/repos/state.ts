import { styleText } from 'node:util';
import type { RepositoryProblem, RepositoryState } from '../../shared/registry/repositories/model.ts';

const colours = { synced: 'green', failed: 'red' } as const satisfies Record<RepositoryState, string>;

/** A state in its colour, on a terminal. */
export function paintRepositoryState(state: RepositoryState, text: string = state): string {
  return styleText(colours[state], text);
}

/** `plots/scatter.yaml:3:14`, as editors and terminals take it. */
export function problemPlace({ path, line, column }: RepositoryProblem): string {
  return [path, line, column].filter((part) => part !== undefined).join(':');
}
