import type { Change } from '../../operation/outcome.ts';
import { adminRole } from '../names.ts';
import { identifier, keyword, Sql, sql } from '../sql.ts';
import type { Aftermath, Held, Revocation } from './aftermath.ts';

export interface GrantStep {
  readonly sql: Sql;
  /** One for each member that it is about. */
  readonly changes: readonly Change[];
}

/** Members are named together in one statement, so many at a time. */
const membersPerStatement = 100;

interface Grant {
  readonly role: string;
  readonly how: Sql;
  readonly grantor: string | undefined;
}

/** Grants and revocations of memberships, those that are alike together in one statement. */
export class MembershipStatements {
  readonly #acting: string;
  /** Memberships have options and a grantor: from 16 on. */
  readonly #options: boolean;
  readonly #granted = new Map<string, Grant & { members: string[] }>();
  readonly #revoked = new Map<string, Revocation & { members: string[] }>();

  constructor(acting: string, options: boolean) {
    this.#acting = acting;
    this.#options = options;
  }

  /** @param grantor where it is not to be whoever PostgreSQL takes */
  grant(
    name: string,
    member: string,
    { inherit, set }: Pick<Held, 'inherit' | 'set'>,
    grantor: string | undefined,
  ): void {
    const option = (value: boolean) => keyword(value ? 'TRUE' : 'FALSE');
    const by = grantor === undefined ? sql`` : sql` GRANTED BY ${identifier(grantor)}`;
    const how = this.#options ? sql` WITH INHERIT ${option(inherit)}, SET ${option(set)}${by}` : sql``;
    collect(this.#granted, JSON.stringify([name, how.text]), { role: name, how, grantor }, member);
  }

  revoke(role: string, member: string, grantor: string, what: Revocation['what']): void {
    collect(this.#revoked, JSON.stringify([role, grantor, what]), { role, grantor, what }, member);
  }

  grants(): GrantStep[] {
    return [...this.#granted.values()].flatMap(({ role, how, grantor, members }) => {
      const steps = chunks(members).map((some) => ({
        sql: sql`GRANT ${identifier(role)} TO ${some.map(identifier)}${how}`,
        changes: some.map((member) => change('grant', role, `to ${member}`)),
      }));
      return this.#asGrantor(grantor, steps);
    });
  }

  /**
   * To be executed after all grants. CASCADE: what the member passed on goes with it; who is to keep the role has our grant
   * by then.
   *
   * @param after gets to know what is revoked
   */
  revocations(after: Aftermath): GrantStep[] {
    return [...this.#revoked.values()].flatMap(({ members, ...revocation }) => {
      const { role, grantor, what } = revocation;
      const by = this.#options ? sql` GRANTED BY ${identifier(grantor)}` : sql``;
      const steps = chunks(members).map((some) => ({
        sql: sql`REVOKE ${Sql.of(what)}${identifier(role)} FROM ${some.map(identifier)}${by} CASCADE`,
        changes: some.flatMap((member) => [
          change('revoke', role, `${what}from ${member}`),
          ...after
            .revoke(revocation, member)
            .map((gone) => change('revoke', role, `what ${gone.grantor} granted to ${gone.member}`)),
        ]),
      }));
      return this.#asGrantor(grantor, steps);
    });
  }

  /** A statement about what one of Drover's admins granted: only as he himself can another one touch that. */
  #asGrantor(grantor: string | undefined, steps: readonly GrantStep[]): GrantStep[] {
    if (grantor === undefined || !this.#options || [this.#acting, adminRole].includes(grantor))
      return [...steps];
    const become = (role: string): GrantStep => ({
      sql: sql`SET LOCAL ROLE ${identifier(role)}`,
      changes: [],
    });
    return [become(grantor), ...steps, become(this.#acting)];
  }
}

function collect<T extends object>(
  groups: Map<string, T & { members: string[] }>,
  key: string,
  group: T,
  member: string,
): void {
  const known = groups.get(key);
  if (known === undefined) groups.set(key, { ...group, members: [member] });
  else if (!known.members.includes(member)) known.members.push(member);
}

function chunks(members: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(members.length / membersPerStatement) }, (_, index) =>
    members.slice(index * membersPerStatement, (index + 1) * membersPerStatement),
  );
}

function change(action: 'grant' | 'revoke', name: string, detail: string): Change {
  return { action, kind: 'membership', name, detail };
}
