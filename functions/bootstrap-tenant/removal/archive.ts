import { config } from '../../../shared/config.ts';
import type { TenantRecord } from '../../../shared/registry/tenants/model.ts';

/** The parts of an archive, below its folder. */
const parts = { database: 'database/', dataset: 'dataset/', storage: 'storage/' } as const;

const manifest = `${parts.database}manifest.json`;

export interface TenantArchive {
  readonly folder: string;
  readonly database: string;
  readonly manifest: string;
  readonly dataset: string;
  readonly storage: string;
}

/** Where a removed tenant is archived: never in the place of a former tenant of the same id. */
export function archiveOf({
  tenant,
  incarnation,
}: Pick<TenantRecord, 'tenant' | 'incarnation'>): TenantArchive {
  return archiveAt(`gs://${config().DROVER_ARCHIVE_BUCKET}/tenants/${tenant}/${incarnation}/`);
}

/** The archive that a manifest belongs to; undefined where that is one of a database alone. */
export function archiveWith(manifestPlace: string): TenantArchive | undefined {
  return manifestPlace.endsWith(`/${manifest}`)
    ? archiveAt(manifestPlace.slice(0, -manifest.length))
    : undefined;
}

function archiveAt(folder: string): TenantArchive {
  return {
    folder,
    database: folder + parts.database,
    manifest: folder + manifest,
    dataset: folder + parts.dataset,
    storage: folder + parts.storage,
  };
}
