import * as z from 'zod';
import { text } from '../../shared/postgres/target.ts';

/** A manifest, and the message that holds one to be planned, has to fit into a message. */
export const maxManifestBytes = 200 * 1024;

const place = {
  bucket: z.string().regex(/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/, { error: 'must be the name of a bucket' }),
  object: text(1024).min(1),
  /** Which of its generations: the one that is there, or that was. */
  generation: z.string().regex(/^[1-9][0-9]{0,18}$/, { error: 'must be a generation' }),
};

const finalized = z.strictObject({ event: z.literal('OBJECT_FINALIZE'), ...place });

/** Deleted; or, in a bucket with versions, no longer the live one. */
const gone = z.strictObject({ event: z.enum(['OBJECT_DELETE', 'OBJECT_ARCHIVE']), ...place });

/** What a manifest would do, if it were uploaded: only as a dry run. */
const plan = z.strictObject({
  event: z.literal('PLAN_MANIFEST'),
  manifest: z.string().refine((given) => Buffer.byteLength(given) <= maxManifestBytes, {
    error: `must be at most ${maxManifestBytes} bytes`,
  }),
  /** Where it would be uploaded to: what that file claims already is no conflict. */
  bucket: place.bucket.optional(),
  object: place.object.optional(),
});

/** Something happened to an object in a bucket. Which routes there are says what comes of it. */
export const ingestObjectMessage = z.discriminatedUnion('event', [finalized, gone, plan]);

export type IngestObjectMessage = z.infer<typeof ingestObjectMessage>;
export type PlanManifest = z.infer<typeof plan>;

/** An event of one generation of an object. */
export type ObjectEvent = Exclude<IngestObjectMessage, PlanManifest>;
