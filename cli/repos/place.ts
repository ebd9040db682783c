import type { RepositoryIdentity } from '../../shared/registry/repositories/model.ts';
import type { Options } from '../command.ts';
import { readDatabase, readInstance, readSchema } from '../grants/place.ts';

/** The schema of a repository, as far as somebody says which. */
export type PlaceGiven = Partial<Pick<RepositoryIdentity, 'instance' | 'database' | 'schema'>>;

/** What tells several of one name apart, and what a list can be of. */
export const placeOptions = {
  instance: { type: 'string', placeholder: 'PROJECT:REGION:NAME', about: 'only on this instance' },
  database: { type: 'string', placeholder: 'DATABASE', about: 'only in databases of this name' },
  schema: { type: 'string', placeholder: 'SCHEMA', about: 'only in schemas of this name' },
} as const satisfies Options;

/** @throws UsageError */
export function readPlaceGiven(
  values: { readonly [name in keyof PlaceGiven]: string | undefined },
): PlaceGiven {
  const { instance, database, schema } = values;
  return {
    ...(instance === undefined ? {} : { instance: readInstance(instance) }),
    ...(database === undefined ? {} : { database: readDatabase(database) }),
    ...(schema === undefined ? {} : { schema: readSchema(schema) }),
  };
}

/** The same as options, for a command line to go on with: ` --schema site`. */
export function placeArguments(place: PlaceGiven): string {
  return Object.entries(place)
    .map(([name, value]) => ` --${name} ${value}`)
    .join('');
}
