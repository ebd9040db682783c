import { styleText } from 'node:util';
import type { How } from '../../shared/postgres/access/paths.ts';
import type {
  AccessReport,
  DirectAccess,
  ManagedAccess,
  PrincipalKind,
  Way,
} from '../../shared/postgres/access/report.ts';
import type { HeldClass } from '../../shared/postgres/access/rows.ts';
import { printableLine } from '../printable.ts';
import { table } from '../table.ts';

const kinds: Readonly<Record<PrincipalKind, string>> = {
  login: 'login',
  'iam-user': 'IAM user',
  'iam-service-account': 'IAM service account',
  'iam-group': 'IAM group',
  role: 'role',
  public: 'everybody',
};

/** Words for a class of objects, one and many of them. */
const classWords: Readonly<Record<HeldClass, readonly [string, string]>> = {
  DATABASE: ['the database', 'databases'],
  SCHEMA: ['the schema', 'schemas'],
  TABLE: ['table', 'tables'],
  COLUMN: ['column', 'columns'],
  SEQUENCE: ['sequence', 'sequences'],
  ROUTINE: ['routine', 'routines'],
  TYPE: ['type', 'types'],
};

/** A report for people, without a heading. */
export function reportLines(report: AccessReport): string[] {
  const { managed, direct } = report;
  return [
    ...section('By Drover’s roles', managed.length === 0 ? [] : managedTable(managed)),
    ...section('Past Drover’s roles', direct.length === 0 ? [] : directTable(direct)),
    ...factLines(report),
  ];
}

export function kindText(kind: PrincipalKind): string {
  return kinds[kind];
}

/** How a principal comes to what it has, in few words. */
export function howText({ how, setRole, path }: Pick<Way, 'how' | 'setRole' | 'path'>): string {
  switch (how) {
    case 'inherit':
      return path.length > 1 ? 'inherits' : 'itself';
    case 'set':
      return `SET ROLE ${setRole ?? ''}`;
    case 'admin':
      return 'not yet: ADMIN';
    case 'none':
      return 'no INHERIT, no SET';
  }
}

function managedTable(managed: readonly ManagedAccess[]): string[] {
  return table(
    ['SCHEMA', 'PRINCIPAL', 'KIND', 'LEVEL', 'CAN', 'HOW', 'ADMIN', 'PATH', 'GRANTED BY'],
    managed.map((access) => [
      access.schema ?? '-',
      access.principal,
      kinds[access.kind],
      access.levels.join(', '),
      list(access.can),
      howText(access),
      access.admin ? 'yes' : '-',
      access.path.join(' → '),
      grantors(access, access.levels.length),
    ]),
  );
}

function directTable(direct: readonly DirectAccess[]): string[] {
  return table(
    ['SCHEMA', 'PRINCIPAL', 'KIND', 'CAN', 'BY', 'HOW', 'PATH', 'GRANTED BY'],
    direct.map((access) => [
      access.schema ?? '-',
      access.principal,
      kinds[access.kind],
      list(access.can),
      basis(access),
      access.kind === 'public' ? '-' : howText(access),
      access.path.length > 1 ? access.path.join(' → ') : '-',
      [...stepGrantors(access, access.memberships.length), ...(access.grantor ? [access.grantor] : [])].join(
        ' → ',
      ) || '-',
    ]),
  );
}

/** `SELECT on 3 tables: orders, items, lines` */
function basis({ by, privileges, grantable, objects }: DirectAccess): string {
  if (objects === null) return by;
  const what =
    by === 'ownership' ? 'owns' : `${privileges.join(', ')}${grantable ? ' WITH GRANT OPTION' : ''} on`;
  return `${what} ${objectsText(objects)}`;
}

function objectsText(objects: NonNullable<DirectAccess['objects']>): string {
  const { class: heldClass, count, names } = objects;
  const [one, many] = classWords[heldClass];
  if (heldClass === 'SCHEMA' || heldClass === 'DATABASE') return one;
  if (count === 1) return `${one} ${names.join('')}`;
  const more = count > names.length ? ', …' : '';
  return `${count} ${many}: ${names.join(', ')}${more}`;
}

/** Who granted the memberships on the way, but for those among Drover's own roles at its end. */
function grantors(way: Way, levels: number): string {
  return stepGrantors(way, way.memberships.length - levels + 1).join(' → ') || '-';
}

function stepGrantors({ memberships }: Way, count: number): string[] {
  return memberships.slice(0, Math.max(0, count)).map(({ grants }) => {
    return [...new Set(grants.map(({ grantor }) => grantor))].join(' and ');
  });
}

function factLines({ superusers, asDrover, createRole, cannotConnect, cut }: AccessReport): string[] {
  const asDroverText = asDrover.map(({ principal, how }) => `${principal}${asDroverNote(how)}`);
  const facts: readonly (readonly [string, readonly string[]])[] = [
    ['Superusers, who may do everything', superusers],
    ['Act as Drover does', asDroverText],
    ['Have CREATEROLE, and so may give themselves any of this', createRole],
    ['May not connect to this database', cannotConnect],
    ['Have it in more ways than are listed', cut],
  ];
  const told = facts.filter(([, names]) => names.length > 0);
  return told.length === 0
    ? []
    : ['', ...told.map(([title, names]) => printableLine(`${title}: ${names.join(', ')}`))];
}

function asDroverNote(how: How): string {
  if (how === 'admin') return ' (not yet: ADMIN)';
  return how === 'none' ? ' (no INHERIT, no SET)' : '';
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', styleText('bold', `${title}:`), ...lines];
}

function list(words: readonly string[]): string {
  return words.join(', ') || '-';
}
