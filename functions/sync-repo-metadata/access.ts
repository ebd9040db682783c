import { formatPlace } from '../../shared/gcp/storage/client.ts';
import type { AccessRequest } from '../../shared/operation/policy.ts';
import { defaultMaxLoss } from './catalog/model.ts';
import { type SyncRepoMetadataMessage, schemaOf } from './message.ts';

/** What a message asks for: what is read, and which schema it is written to. */
export function access(message: SyncRepoMetadataMessage): AccessRequest {
  const { repository, archive, target, schema = schemaOf(repository) } = message;
  // Whoever says how much may be lost may delete as much.
  const deletes = message.allowDeletes || (message.config?.maxLoss ?? 0) > defaultMaxLoss;
  return {
    target,
    schema,
    repositories: [
      archive ? formatPlace({ bucket: archive.bucket, name: archive.object }) : `github:${repository}`,
    ],
    levels: [],
    principals: [],
    actions: deletes ? ['allowDeletes'] : [],
  };
}
