import fc from 'fast-check';
import type { CustomRole } from '../../../../shared/postgres/custom-role.ts';
import type { DesiredGrants } from '../../../../shared/postgres/grants/model.ts';
import { actingAdmin, adminRole, roleName } from '../../../../shared/postgres/names.ts';

/** Two schemas of one database, one of which has the beginning of its name from the other. */
export interface Place {
  readonly database: string;
  readonly schema: string;
  readonly other: string;
  /** PUBLIC may not connect, so that there is a role for it. */
  readonly closed: boolean;
  /** Whose admin made the database's roles: that of the schema that was made first. */
  readonly first: 'schema' | 'other';
}

export const places: readonly Place[] = [
  { database: 'app', schema: 'a_b', other: 'a_bc', closed: false, first: 'schema' },
  { database: 'locked', schema: 'a_bc', other: 'a_b', closed: true, first: 'other' },
  { database: `it's "odd" 🐘`, schema: 'ORDERS', other: 'ORDERS_', closed: true, first: 'schema' },
];

export const auditor: CustomRole = {
  name: 'auditor',
  version: 1,
  inherits: [],
  privileges: { tables: ['SELECT'], sequences: [], routines: [] },
  native: [],
};

/** The roles of a place, by what they are. */
const roles = ['owner', 'reader', 'auditor', 'other owner', 'other reader', 'connect'] as const;
export type Role = (typeof roles)[number];

export function roleNameOf(role: Role, { database, schema, other }: Place): string {
  if (role === 'connect') return roleName(database, undefined, role);
  const [level = '', ofOther] = role.split(' ').reverse();
  return roleName(database, ofOther ? other : schema, level);
}

/** Who is made a member: people with names of every kind, the instance's admin, and one of Drover's own roles. */
export const people = [
  'alice',
  `o'brien "the" 🐘; DROP ROLE alice`,
  'x'.repeat(63),
  'bob@example.com',
  'é'.repeat(31),
] as const;
export const superuser = 'cloudsqladmin';
export const ownMember = 'own';
const admins = ['acting', 'shard', adminRole, 'postgres', superuser] as const;
export type Actor = (typeof people)[number] | (typeof admins)[number] | typeof ownMember;

export function actorNameOf(actor: Actor, { database, schema, other }: Place): string {
  switch (actor) {
    case 'acting':
      return actingAdmin(database, schema);
    case 'shard':
      return actingAdmin(database, other);
    case ownMember:
      return roleName(database, other, 'writer');
    default:
      return actor;
  }
}

/** Whose memberships are structure, and nobody's grants. */
export function isOwn(member: string, { database, schema, other }: Place): boolean {
  const levels = ['owner', 'writer', 'reader', 'analyst', 'auditor'];
  const roles = [schema, other].flatMap((of) => levels.map((level) => roleName(database, of, level)));
  return member === adminRole || roles.includes(member);
}

/** Somebody once granted a role to somebody else, if he could. */
export interface Deed {
  readonly role: Role;
  readonly member: Actor;
  readonly by: Actor;
  readonly admin: boolean;
  readonly inherit: boolean;
  readonly set: boolean;
}

/** A few that meet often. */
const person = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...people.slice(0, 3)) },
  { weight: 1, arbitrary: fc.constantFrom(...people) },
);
const option = fc.boolean();

const passedOn = fc.record({
  member: fc.oneof(
    { weight: 12, arbitrary: person },
    { weight: 1, arbitrary: fc.constant('postgres' as const) },
    { weight: 1, arbitrary: fc.constant(ownMember) },
  ),
  by: fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom('shard' as const, 'postgres' as const, superuser) },
    { weight: 2, arbitrary: fc.constant(adminRole) },
    { weight: 4, arbitrary: fc.constant('acting' as const) },
    { weight: 4, arbitrary: person },
  ),
  admin: option,
  inherit: option,
  set: option,
});

/**
 * What became of one role. By a superuser's leave `drover_admin` or the instance's admin may grant it. Drover's own roles
 * are plain members: what Drover itself passes on is never by grace of one of them.
 */
const deedsOf = fc
  .record({
    role: fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom('owner' as const, 'reader' as const) },
      { weight: 2, arbitrary: fc.constantFrom(...roles) },
    ),
    lent: fc.subarray([adminRole, 'postgres' as const]),
    granted: fc.array(passedOn, { maxLength: 8 }),
  })
  .map(({ role, lent, granted }): Deed[] => [
    ...lent.map((member) => ({ role, member, by: superuser, admin: true, inherit: true, set: true })),
    ...granted.map((one) => ({ role, ...one, admin: one.admin && one.member !== ownMember })),
  ]);

/** Somebody acts as an owner, here and maybe there, and connects because of that. */
const owning: fc.Arbitrary<Deed[]> = fc
  .record({
    member: person,
    by: fc.constantFrom('acting' as const, 'shard' as const, adminRole),
    inherit: option,
    elsewhere: option,
  })
  .map(({ member, by, inherit, elsewhere }) => {
    const how = { member, admin: false, inherit: false, set: true };
    return [
      { ...how, role: 'owner', by: 'acting' },
      { ...how, role: 'connect', by, inherit, set: false },
      ...(elsewhere ? [{ ...how, role: 'other owner' as const, by: 'shard' as const }] : []),
    ];
  });

export const deeds: fc.Arbitrary<Deed[]> = fc
  .array(fc.oneof({ weight: 5, arbitrary: deedsOf }, { weight: 1, arbitrary: owning }), { maxLength: 3 })
  .map((all) => all.flat());

export type Wish = Pick<DesiredGrants, 'grants' | 'surplus' | 'undecided'> & {
  readonly outstanding: boolean;
};

/** Long after and long before any test. */
export const future = new Date('2999-01-01T00:00:00Z');
export const past = new Date('2001-01-01T00:00:00Z');

export const wish: fc.Arbitrary<Wish> = fc
  .record({
    named: fc.uniqueArray(
      fc.record(
        {
          role: fc.constantFrom('owner', 'owner', 'reader', 'reader', 'auditor', 'nothing'),
          principal: person,
          what: fc.constantFrom('present', 'present', 'present', 'absent', 'undecided'),
          when: fc.constantFrom(past, future),
        },
        { requiredKeys: ['role', 'principal', 'what'] },
      ),
      { maxLength: 8, selector: ({ role, principal }) => JSON.stringify([role, principal]) },
    ),
    surplus: fc.constantFrom('revoke', 'ignore'),
    outstanding: fc.boolean(),
  })
  .map(({ named, surplus, outstanding }) => ({
    surplus,
    outstanding,
    grants: named
      .filter(({ what }) => what !== 'undecided')
      .map(({ role, principal, what, when }) => {
        const present = what === 'present';
        if (when === undefined) return { role, principal, present };
        return { role, principal, present, ...(present ? { notAfter: when } : { notBefore: when }) };
      }),
    undecided: named
      .filter(({ what }) => what === 'undecided')
      .map(({ role, principal }) => ({ role, principal })),
  }));

export function desiredOf({ database, schema }: Place, wished: Wish, epoch: number): DesiredGrants {
  const { outstanding, ...rest } = wished;
  return { database, schema, ...rest, customRoles: ['auditor'], fence: { epoch, outstanding } };
}
