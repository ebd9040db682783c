import { abilities } from './abilities.ts';
import { dataRoles } from './query.ts';
import type { DirectAccess } from './report.ts';
import type { AccessRows } from './rows.ts';

/** Something that a role has past Drover's roles, whoever is its member. */
export type Holding = Pick<
  DirectAccess,
  'schema' | 'by' | 'can' | 'privileges' | 'grantable' | 'grantor' | 'objects'
>;

/** What PUBLIC has stands under this: no role's name is null. */
type Holder = string | null;

/** What every role has by itself. */
export function holdingsOf({ roles, privileges, owned }: AccessRows): Map<Holder, Holding[]> {
  const holdings: [Holder, Holding][] = [
    ...owned.map(({ owner, schema, ...objects }): [Holder, Holding] => [
      owner,
      { ...nothing, schema, by: 'ownership', can: abilities([`${objects.class} OWNER`]), objects },
    ]),
    ...privileges.map((row): [Holder, Holding] => {
      const { grantee, schema, class: heldClass, count, names } = row;
      return [
        grantee,
        {
          schema,
          by: 'privileges',
          can: abilities(row.privileges.map((privilege) => `${heldClass} ${privilege}`)),
          privileges: row.privileges,
          grantable: row.grantable,
          grantor: row.grantor,
          objects: { class: heldClass, count, names },
        },
      ];
    }),
    ...roles
      .filter(({ superuser }) => superuser)
      .map(({ name }): [Holder, Holding] => [name, { ...nothing, by: 'superuser', can: ['everything'] }]),
    ...Object.entries(dataRoles).map(([name, word]): [Holder, Holding] => [
      name,
      { ...nothing, by: 'predefined role', can: [word] },
    ]),
  ];
  const byHolder = Map.groupBy(holdings, ([holder]) => holder);
  return new Map([...byHolder].map(([holder, list]) => [holder, list.map(([, holding]) => holding)]));
}

const nothing = { schema: null, privileges: [], grantable: false, grantor: null, objects: null } as const;
