import * as z from 'zod';
import { schemaName, target, text } from '../../shared/postgres/target.ts';
import { catalogSchema } from './catalog/model.ts';

/** A commit's id: SHA-1, or SHA-256 where a repository has those. */
export const commitId = z
  .string()
  .regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, { error: 'must be a whole commit id, in lower case' });

const part = String.raw`(?!\.{1,2}(?:/|$))[A-Za-z0-9_.-]{1,100}`;

const repository = z.string().regex(new RegExp(`^${part}(?:/${part})?$`), {
  error: 'must be a name, or owner/name: letters, digits, dots, dashes and underscores',
});

const object = z.strictObject({
  bucket: z.string().regex(/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/, { error: 'must be the name of a bucket' }),
  /** A `.tar.gz` or `.zip`. */
  object: text(1024).min(1),
  /** The folder of the archive in which the repository is; `''` for none. By default that in which everything is. */
  root: text(1024).optional(),
  /** Which of its generations; without it the one that is there. */
  generation: z
    .string()
    .regex(/^[1-9][0-9]{0,18}$/, { error: 'must be a generation' })
    .optional(),
});

/**
 * Makes the tables of a schema say what a repository's files say, at one commit: all of it or nothing. Sent again, it changes
 * nothing.
 */
export const syncRepoMetadataMessage = z
  .strictObject({
    /** On GitHub `owner/name`; of an archive whatever it is to be called. */
    repository,
    source: z.enum(['github', 'archive']),
    /** On GitHub: a branch or tag. By default the repository's own default branch. */
    ref: text(255).min(1).optional(),
    /** Which commit; without it on GitHub the one that `ref` is at, of an archive the one that it says itself. */
    commit: commitId.optional(),
    /** Where an archive is. */
    archive: object.optional(),
    target: z.strictObject(target.shape, {
      error: ({ input }) =>
        input === undefined
          ? 'is needed; of a push: no entry of DROVER_REPOSITORIES names this repository'
          : undefined,
    }),
    /** Whose tables; by default one called like the repository. It is made where it isn't there. */
    schema: schemaName.optional(),
    /** What there is in the repository, instead of what it says itself in `drover.catalog.yaml`. */
    config: catalogSchema.optional(),
    /** Also where much or all would be deleted. */
    allowDeletes: z.boolean().default(false),
    /** Read every file again, also those that are as they were. */
    rebuild: z.boolean().default(false),
  })
  .superRefine(({ repository: name, source, ref, archive, schema }, context) => {
    const problem = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    if (source === 'archive') {
      if (archive === undefined) problem('archive', 'is needed: where the archive is');
      if (ref !== undefined) problem('ref', 'has no place where an archive is read');
    } else {
      if (archive !== undefined) problem('archive', 'has no place where GitHub is asked');
      if (!name.includes('/')) problem('repository', 'must be owner/name on GitHub');
    }
    if (schema === undefined && !schemaName.safeParse(schemaOf(name)).success)
      problem('schema', 'is needed: the repository’s name makes none');
  });

export type SyncRepoMetadataMessage = z.infer<typeof syncRepoMetadataMessage>;

/** The schema of a repository for which a message names none: `acme/Plots-Site.io` has `plots_site_io`. */
export function schemaOf(repository: string): string {
  const name = (repository.split('/').at(-1) ?? '').toLowerCase();
  return name
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '')
    .slice(0, 63);
}
