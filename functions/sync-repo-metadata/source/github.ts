import { type Archive, type ArchiveLimits, archiveDamaged } from './entries.ts';
import type { GitHub, ResolvedCommit } from './github-api.ts';
import type { Snapshot } from './snapshot.ts';
import { readTar } from './tar.ts';

/** A repository on GitHub at one commit. Each reading downloads it anew: nothing of it is kept. */
export function githubSnapshot(
  api: Pick<GitHub, 'tarball'>,
  repository: string,
  { sha, committedAt }: Pick<ResolvedCommit, 'sha' | 'committedAt'>,
  { limits }: { readonly limits: ArchiveLimits },
): Snapshot {
  return {
    commit: sha,
    committedAt,
    async open(signal) {
      const gzipped = await api.tarball(repository, sha, signal);
      return atCommit(readTar(gzipped, { limits, retryable: true, signal }), sha);
    },
  };
}

/** The same archive, which fails before its first entry where it is of another commit: somebody in between kept an old one. */
function atCommit(archive: Archive, sha: string): Archive {
  const check = () => {
    if (archive.commit === sha) return;
    throw archiveDamaged(`it is of commit ${archive.commit ?? '(unknown)'} and ${sha} was asked for`, true);
  };
  return {
    get commit() {
      return archive.commit;
    },
    async *[Symbol.asyncIterator]() {
      let checked = false;
      for await (const entry of archive) {
        if (!checked) check();
        checked = true;
        yield entry;
      }
      if (!checked) check();
    },
  };
}
