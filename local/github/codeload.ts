import { randomUUID } from 'node:crypto';
import type { RequestListener, ServerResponse } from 'node:http';
import { archiveOf } from './archive.ts';
import type { Commit, LocalRepository } from './repository.ts';

/** What goes wrong with a download, on demand. */
export type DownloadFault =
  /** The connection breaks. */
  | { readonly kind: 'drop'; readonly afterBytes: number }
  /** The head promises more than comes. */
  | { readonly kind: 'short'; readonly missingBytes: number }
  /** The answer is whole and the archive isn't. */
  | { readonly kind: 'truncate'; readonly afterBytes: number }
  /** The connection stays open, and nothing more comes. */
  | { readonly kind: 'stall'; readonly afterBytes: number }
  /** Somebody in between kept the archive of another commit. */
  | { readonly kind: 'stale'; readonly commit: string };

interface Offer {
  readonly repository: LocalRepository;
  readonly commit: Commit;
}

/** The server that archives are downloaded from: another origin than the API's, which no token is sent to. */
export class Codeload {
  /** Archives of private repositories, by the key in their address. */
  readonly #offers = new Map<string, Offer>();
  readonly #archives = new WeakMap<Commit, Buffer>();
  readonly #find: (fullName: string) => LocalRepository | undefined;
  fault: DownloadFault | undefined;

  constructor(find: (fullName: string) => LocalRepository | undefined) {
    this.#find = find;
  }

  /** The path of an archive. Who has that of a private one needs nothing else. */
  pathOf(repository: LocalRepository, commit: Commit): string {
    const path = `/${repository.fullName}/legacy.tar.gz/${commit.sha}`;
    if (!repository.private) return path;
    const key = randomUUID();
    this.#offers.set(key, { repository, commit });
    return `${path}?token=${key}`;
  }

  readonly serve: RequestListener = (request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const [, name = '', sha = ''] =
      /^\/([^/]+\/[^/]+)\/legacy\.tar\.gz\/([0-9a-f]{40})$/.exec(url.pathname) ?? [];
    const offered = this.#offers.get(url.searchParams.get('token') ?? '');
    const repository = offered?.repository ?? this.#find(decodeURIComponent(name));
    const commit = repository?.commits.get(this.fault?.kind === 'stale' ? this.fault.commit : sha);
    const allowed = offered ? offered.commit.sha === sha : repository?.private === false;
    if (request.method !== 'GET' || !repository || !commit || !allowed) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('404: Not Found');
      return;
    }
    const top = `${repository.fullName.replace('/', '-')}-${commit.sha.slice(0, 7)}`;
    const archive = this.#archives.get(commit) ?? archiveOf(commit, top);
    this.#archives.set(commit, archive);
    send(response, archive, `${top}.tar.gz`, this.fault);
  };
}

/** In chunks, as the service does: it makes an archive while it sends it, and doesn't know its length. */
function send(
  response: ServerResponse,
  archive: Buffer,
  name: string,
  fault: DownloadFault | undefined,
): void {
  response.writeHead(200, {
    'content-type': 'application/x-gzip',
    'content-disposition': `attachment; filename=${name}`,
    ...(fault?.kind === 'short' && { 'content-length': archive.length + fault.missingBytes }),
  });
  if (fault?.kind === 'truncate') response.end(archive.subarray(0, fault.afterBytes));
  else if (fault?.kind === 'stall') response.write(archive.subarray(0, fault.afterBytes));
  else if (fault?.kind === 'drop') {
    response.write(archive.subarray(0, fault.afterBytes), () => response.socket?.destroy());
  } else if (fault?.kind === 'short') response.write(archive, () => response.socket?.end());
  else response.end(archive);
}
