import type { Change } from '../../operation/outcome.ts';
import { identifier, type Sql, sql } from '../sql.ts';
import type { Reach } from './principal.ts';

interface Loan {
  readonly role: string;
  readonly by: string;
  readonly to: string;
}

/**
 * Statements of one transaction, each run as some role. Where an acting admin isn't a member of a role that it needs, it
 * makes itself one for the time of the transaction and leaves nothing behind.
 */
export class Script {
  /** As whom the transaction begins. */
  readonly acting: string;
  readonly #serverVersion: number;
  readonly #loans: Loan[] = [];
  readonly #deeds: { readonly as: string; readonly sql: Sql }[] = [];
  readonly changes: Change[] = [];

  constructor(acting: string, serverVersion: number) {
    this.acting = acting;
    this.#serverVersion = serverVersion;
  }

  run(as: string, statement: Sql, ...changes: readonly Change[]): void {
    this.#deeds.push({ as, sql: statement });
    this.changes.push(...changes);
  }

  /** Makes `to` a member of a role, by an admin of that role. */
  lend(role: string, by: string, to: string = by): void {
    if (!this.#loans.some((loan) => loan.role === role && loan.to === to)) this.#loans.push({ role, by, to });
  }

  /** Makes it possible to run statements as a role; whether it is. */
  reach({ role, settable, admin }: Reach): boolean {
    if (settable) return true;
    if (admin === null) return false;
    this.lend(role, admin);
    return true;
  }

  /** Forgets what was to be run: it was only to be told. */
  clear(): void {
    this.#deeds.length = 0;
    this.#loans.length = 0;
  }

  statements(): Sql[] {
    if (this.#deeds.length === 0) return [];
    const options = this.#serverVersion < 160000 ? sql`` : sql` WITH INHERIT TRUE, SET TRUE`;
    const all = [
      ...this.#loans.map(({ role, by, to }) => ({
        as: by,
        sql: sql`GRANT ${identifier(role)} TO ${identifier(to)}${options}`,
      })),
      ...this.#deeds,
      ...this.#loans.toReversed().map(({ role, by, to }) => ({
        as: by,
        sql: sql`REVOKE ${identifier(role)} FROM ${identifier(to)}`,
      })),
    ];
    let current = this.acting;
    return all.flatMap(({ as, sql: statement }) => {
      if (as === current) return [statement];
      current = as;
      return [sql`SET LOCAL ROLE ${identifier(as)}`, statement];
    });
  }
}
