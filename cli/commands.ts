import type { Command } from './command.ts';
import { listCommand } from './dead-letters/list.ts';
import { replayCommand } from './dead-letters/replay.ts';
import { showCommand } from './dead-letters/show.ts';
import { listGrantsCommand } from './grants/list.ts';
import { planCommand } from './grants/plan.ts';
import { whoCommand } from './grants/who.ts';
import { operations } from './operations.ts';
import { planManifestCommand } from './plan.ts';
import { prepare } from './prepare.ts';
import { listRepositoriesCommand } from './repos/list.ts';
import { repositoryProblemsCommand } from './repos/problems.ts';
import { showRepositoryCommand } from './repos/show.ts';
import { secretHistoryCommand } from './secrets/history.ts';
import { listSecretsCommand } from './secrets/list.ts';
import { rotateCommand } from './secrets/rotate.ts';
import { showSecretCommand } from './secrets/show.ts';
import { verifyCommand } from './secrets/verify.ts';
import { send } from './send.ts';
import { didYouMean } from './suggest.ts';
import { listTenantsCommand } from './tenants/list.ts';
import { removeTenantCommand } from './tenants/remove.ts';
import { restoreTenantCommand } from './tenants/restore.ts';
import { showTenantCommand } from './tenants/show.ts';
import { tenantStepsCommand } from './tenants/steps.ts';
import { UsageError } from './usage-error.ts';

/** In the order of the help. A name of two words is a command of a group. */
export const commands: readonly Command[] = [
  send,
  operations,
  planManifestCommand,
  listCommand,
  showCommand,
  replayCommand,
  whoCommand,
  listGrantsCommand,
  planCommand,
  listSecretsCommand,
  showSecretCommand,
  rotateCommand,
  secretHistoryCommand,
  verifyCommand,
  listTenantsCommand,
  showTenantCommand,
  tenantStepsCommand,
  removeTenantCommand,
  restoreTenantCommand,
  listRepositoriesCommand,
  showRepositoryCommand,
  repositoryProblemsCommand,
  prepare,
];

/** What the words of a command line begin with. */
export type Selected =
  | { readonly kind: 'command'; readonly command: Command; readonly rest: readonly string[] }
  /** Only the first word of several commands. */
  | { readonly kind: 'group'; readonly name: string; readonly members: readonly Command[] };

/**
 * Finds the command that the arguments name.
 *
 * @throws UsageError where there is none of that name
 */
export function selectCommand(args: readonly string[]): Selected {
  const [first = '', second] = args;
  const single = commands.find(({ name }) => name === first);
  if (single) return { kind: 'command', command: single, rest: args.slice(1) };
  const members = commands.filter(({ name }) => name.startsWith(`${first} `));
  if (members.length === 0) {
    const names = [...new Set(commands.map(({ name }) => name.split(' ')[0] ?? name))];
    throw new UsageError(`There is no command ${first}.${didYouMean(first, names)}`);
  }
  if (second === undefined || second.startsWith('-')) return { kind: 'group', name: first, members };
  const member = members.find(({ name }) => name === `${first} ${second}`);
  if (member) return { kind: 'command', command: member, rest: args.slice(2) };
  const names = members.map(({ name }) => name.slice(first.length + 1));
  throw new UsageError(`There is no command ${first} ${second}.${didYouMean(second, names)}`);
}
