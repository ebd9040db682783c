import type { JsonObject } from '../http/json.ts';
import { invalid } from './errors.ts';
import { objectOf, objectsOf, requiredText, supportOnly, textOf } from './fields.ts';

export type AccessEntry = JsonObject;

const principals = ['userByEmail', 'groupByEmail', 'domain', 'specialGroup', 'iamMember'] as const;
const specialGroups = [
  'projectOwners',
  'projectReaders',
  'projectWriters',
  'allAuthenticatedUsers',
  'allUsers',
];

/** Answers have the old names. */
const roles: Readonly<Record<string, string>> = {
  'roles/bigquery.dataOwner': 'OWNER',
  'roles/bigquery.dataEditor': 'WRITER',
  'roles/bigquery.dataViewer': 'READER',
};

/** Who may do what in a dataset that was made without saying so. */
export function defaultAccess(creator: string): readonly AccessEntry[] {
  return [
    { role: 'WRITER', specialGroup: 'projectWriters' },
    { role: 'OWNER', specialGroup: 'projectOwners' },
    { role: 'OWNER', userByEmail: creator },
    { role: 'READER', specialGroup: 'projectReaders' },
  ];
}

/**
 * @throws ApiError 400
 * @see https://cloud.google.com/bigquery/docs/reference/rest/v2/datasets#Dataset.FIELDS.access
 */
export function accessOf(body: JsonObject): readonly AccessEntry[] | undefined {
  return objectsOf(body, 'access')?.map(readEntry);
}

function readEntry(entry: JsonObject): AccessEntry {
  supportOnly('an access entry', entry, ['role', 'view', ...principals]);
  const given = [...principals, 'view'].filter((kind) => entry[kind] !== undefined);
  const [kind] = given;
  if (kind === undefined || given.length > 1) {
    throw invalid(`An access entry must have exactly one of ${principals.join(', ')} or view defined.`);
  }
  if (kind === 'view') return readView(entry);
  const role = requiredText(entry, 'role');
  if (
    !/^(OWNER|WRITER|READER|(roles|projects\/[^/]+\/roles|organizations\/\d+\/roles)\/[\w.]+)$/.test(role)
  ) {
    throw invalid(`Invalid role: ${role}`);
  }
  return { role: roles[role] ?? role, [kind]: readPrincipal(kind, requiredText(entry, kind)) };
}

function readView(entry: JsonObject): AccessEntry {
  if (textOf(entry, 'role')) throw invalid('An access entry for view needs an empty role.');
  const view = objectOf(entry, 'view') ?? {};
  supportOnly('a view', view, ['projectId', 'datasetId', 'tableId']);
  const [projectId, datasetId, tableId] = ['projectId', 'datasetId', 'tableId'].map((field) =>
    requiredText(view, field),
  );
  return { view: { projectId, datasetId, tableId } };
}

function readPrincipal(kind: string, principal: string): string {
  const isValid =
    kind === 'specialGroup'
      ? specialGroups.includes(principal)
      : kind === 'iamMember'
        ? /^[a-zA-Z]+(:.+)?$/.test(principal)
        : kind === 'domain' || /^[^@\s]+@[^@\s]+$/.test(principal);
  if (!isValid) throw invalid(`Invalid value for ${kind}: ${principal}`);
  return principal;
}
