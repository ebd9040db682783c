import type { InspectedGrants, InspectedMembers } from '../../../../shared/postgres/grants/model.ts';
import { formatMarker } from '../../../../shared/postgres/marker.ts';
import { adminRole, roleName } from '../../../../shared/postgres/names.ts';
import type { Row } from './judge.ts';
import { actorNameOf, type Deed, isOwn, type Place, people, roleNameOf, superuser } from './states.ts';

type Options = Pick<Row, 'admin' | 'inherit' | 'set'>;

/**
 * What GRANT and REVOKE of roles mean to PostgreSQL, for one place.
 *
 * @see https://www.postgresql.org/docs/18/sql-grant.html
 * @see https://www.postgresql.org/docs/18/sql-revoke.html
 */
export class Memberships {
  rows: Row[] = [];
  readonly #comments = new Map<string, string>();
  readonly #place: Place;
  readonly #version: number;
  #current: string;

  constructor(place: Place, version: 15 | 16) {
    this.#place = place;
    this.#version = version;
    this.#current = actorNameOf('acting', place);
    const { database, schema, other, closed } = place;
    for (const of of [schema, other]) {
      for (const level of ['owner', 'writer', 'reader', 'auditor']) {
        this.#mark(database, of, level);
      }
    }
    if (closed) this.#mark(database, undefined, 'connect');
  }

  get options(): boolean {
    return this.#version >= 16;
  }

  /** Does it, if it can be done. */
  attempt({ role, member, by, ...options }: Deed): void {
    if (!this.#comments.has(roleNameOf(role, this.#place))) return;
    const grantor = actorNameOf(by, this.#place);
    try {
      this.grant(roleNameOf(role, this.#place), actorNameOf(member, this.#place), grantor, options);
    } catch {
      // Then it never was.
    }
  }

  grant(role: string, member: string, grantor: string, { admin, ...how }: Partial<Options>): void {
    if (!this.#comments.has(role)) throw new Error(`role "${role}" does not exist`);
    if (!this.#mayGrant(role, grantor))
      throw new Error(`permission denied to grant role "${role}" as ${grantor}`);
    if (this.options && admin && this.#dependsOn(role, grantor, member)) {
      throw new Error('ADMIN option cannot be granted back to your own grantor');
    }
    const isIt = this.#isIt(role, member, grantor);
    const known = this.rows.find(isIt) ?? {
      role,
      member,
      grantor,
      admin: false,
      inherit: true,
      set: true,
    };
    const row = { ...known, ...(this.options ? how : {}), admin: known.admin || admin === true };
    this.rows = [...this.rows.filter((one) => !isIt(one)), row];
  }

  revoke(role: string, member: string, grantor: string, what: 'all' | 'admin'): void {
    const isIt = this.#isIt(role, member, grantor);
    const known = this.rows.find(isIt);
    if (known === undefined)
      throw new Error(`WARNING: "${member}" has not been granted "${role}" by "${grantor}"`);
    const rest = this.rows.filter((one) => !isIt(one));
    this.rows = what === 'all' ? rest : [...rest, { ...known, admin: false }];
    if (this.options && known.admin) this.#dropDependents(role, member);
  }

  /** Executes a statement of a plan, as the acting admin. */
  execute(statement: string): void {
    const name = '("(?:[^"]|"")+")';
    const list = `${name.replace('(', '(?:')}(?:, ${name.replace('(', '(?:')})*`;
    const grant = new RegExp(
      `^GRANT ${name} TO (${list})(?: WITH INHERIT (TRUE|FALSE), SET (TRUE|FALSE)(?: GRANTED BY ${name})?)?$`,
    ).exec(statement);
    const revoke = new RegExp(
      `^REVOKE (ADMIN OPTION FOR )?${name} FROM (${list})(?: GRANTED BY ${name})? CASCADE$`,
    ).exec(statement);
    const become = new RegExp(`^SET LOCAL ROLE ${name}$`).exec(statement);
    const comment = new RegExp(`^COMMENT ON ROLE ${name} IS (?:'|  *E')((?:[^']|'')*)'$`).exec(statement);
    const members = (text = '') => [...text.matchAll(new RegExp(name, 'g'))].map(([one]) => unquoted(one));
    if (grant) {
      const [, role, to, inherit, set, by] = grant;
      const how = inherit === undefined ? {} : { inherit: inherit === 'TRUE', set: set === 'TRUE' };
      for (const member of members(to)) {
        const grantor = by === undefined ? this.#grantorOf(unquoted(role)) : this.#mayActFor(unquoted(by));
        this.grant(unquoted(role), member, grantor, how);
      }
    } else if (revoke) {
      const [, admin, role, from, by] = revoke;
      for (const member of members(from)) {
        this.revoke(
          unquoted(role),
          member,
          by === undefined ? '' : this.#mayActFor(unquoted(by)),
          admin ? 'admin' : 'all',
        );
      }
    } else if (become) {
      this.#current = unquoted(become[1]);
    } else if (comment) {
      if (this.#current !== actorNameOf('acting', this.#place)) throw new Error(`not for ${this.#current}`);
      this.#comments.set(
        unquoted(comment[1]),
        (comment[2] ?? '').replaceAll("''", "'").replaceAll('\\\\', '\\'),
      );
    } else throw new Error(`not understood: ${statement}`);
  }

  /** @param schemas that are asked about */
  inspect(...schemas: readonly string[]): InspectedGrants {
    const { database } = this.#place;
    const owners = [...this.#comments.keys()].filter((role) => role.endsWith('owner'));
    const asked = (schemas.length > 0 ? schemas : [this.#place.schema]).map((schema) =>
      roleName(database, schema, 'owner'),
    );
    return {
      serverVersion: this.#version * 10_000,
      now: '2026-01-01T00:00:00.000Z',
      roles: [...this.#comments].map(([name, comment]) => ({ name, comment })),
      members: this.rows
        .filter(({ member }) => !isOwn(member, this.#place))
        .map(({ member, ...how }): InspectedMembers => ({ ...how, members: [member] })),
      principals: [...people].map((name) => ({
        name,
        login: true,
        privileged: false,
        writer: false,
        managed: false,
        iam: [],
        ownsElsewhere: owners.some(
          (role) =>
            !asked.includes(role) && this.rows.some((row) => row.role === role && row.member === name),
        ),
      })),
      cycles: [],
      unmarked: [],
    };
  }

  #mark(database: string, schema: string | undefined, level: string): void {
    const marker = { managedBy: 'drover' as const, database, ...(schema ? { schema } : {}), level };
    this.#comments.set(roleName(database, schema, level), formatMarker(marker));
  }

  #isIt(role: string, member: string, grantor: string): (row: Row) => boolean {
    return (row) => row.role === role && row.member === member && (!this.options || row.grantor === grantor);
  }

  /** Who may act for whom: each of Drover's admins for `drover_admin`, and for himself. */
  #mayActFor(grantor: string): string {
    if (grantor === this.#current || grantor === adminRole) return grantor;
    throw new Error(`permission denied to act for ${grantor} as ${this.#current}`);
  }

  /** Who made a role may grant it; the database's `drover_admin` may, too; superusers may do all. */
  #mayGrant(role: string, grantor: string): boolean {
    const isConnect = role === roleNameOf('connect', this.#place);
    const structural = [superuser, this.#makerOf(role), ...(isConnect ? [adminRole] : [])];
    if (!this.options || structural.includes(grantor)) return true;
    return this.rows.some((row) => row.role === role && row.member === grantor && row.admin);
  }

  #makerOf(role: string): string {
    const isConnect = role === roleNameOf('connect', this.#place);
    const isOther = isConnect ? this.#place.first === 'other' : this.#isOfOther(role);
    return actorNameOf(isOther ? 'shard' : 'acting', this.#place);
  }

  /** Whoever acts grants by himself if he may, and else for `drover_admin`. */
  #grantorOf(role: string): string {
    return this.#makerOf(role) === this.#current ? this.#current : adminRole;
  }

  #isOfOther(role: string): boolean {
    return (
      role === roleNameOf('other owner', this.#place) || role === roleNameOf('other reader', this.#place)
    );
  }

  #dependsOn(role: string, grantor: string, on: string, seen: readonly string[] = []): boolean {
    if (grantor === on) return true;
    if (seen.includes(grantor)) return false;
    return this.rows.some(
      (row) =>
        row.role === role &&
        row.member === grantor &&
        row.admin &&
        this.#dependsOn(role, row.grantor, on, [...seen, grantor]),
    );
  }

  #dropDependents(role: string, grantor: string): void {
    if (this.#mayGrant(role, grantor)) return;
    const gone = this.rows.filter((row) => row.role === role && row.grantor === grantor);
    this.rows = this.rows.filter((row) => !gone.includes(row));
    for (const { member, admin } of gone) if (admin) this.#dropDependents(role, member);
  }
}

function unquoted(name = ''): string {
  return name.slice(1, -1).replaceAll('""', '"');
}
