import type { RequestListener } from 'node:http';
import { Clock } from '../clock.ts';
import type { Interceptor } from '../http/interceptor.ts';
import { startHttpServer } from '../http/server.ts';
import type { TokenScope } from './access.ts';
import { serveApi } from './api.ts';
import { Codeload, type DownloadFault } from './codeload.ts';
import { RateLimit } from './rate-limit.ts';
import { LocalRepository, type RepositoryOptions } from './repository.ts';

export interface GitHubOptions {
  /** Default: any free one. Archives are on another, always a free one. */
  readonly port?: number;
  /** The time, if it isn't this machine's. */
  readonly now?: () => Date;
}

/** A request that came, in the order of their coming. */
export interface SeenRequest {
  readonly host: 'api' | 'codeload';
  /** Path and query, as they were written. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A running GitHub of this machine. */
export interface LocalGitHub {
  /** `http://127.0.0.1:port`: the root of its API. */
  readonly base: string;
  readonly requests: SeenRequest[];
  /** Fault injection, assignable at any time; see `local/http/interceptor.ts`. Calls have the names of GitHub's reference. */
  intercept: Interceptor | undefined;
  /** What goes wrong with downloads from now on. */
  downloadFault: DownloadFault | undefined;
  /** Requests an hour that each caller has; 0 is the limit reached. */
  requestsPerHour: number;
  /** @param fullName `owner/name` */
  createRepository(fullName: string, options?: RepositoryOptions): LocalRepository;
  /** The former name redirects to the new one until another repository takes it. */
  rename(repository: LocalRepository, fullName: string): void;
  deleteRepository(repository: LocalRepository): void;
  /** Makes a token known, or changes what it may. */
  allow(token: string, scope: TokenScope): void;
  revoke(token: string): void;
  /** Sets the server's time forward. */
  advance(seconds: number): void;
  close(): Promise<void>;
}

/**
 * Starts a GitHub in memory, on loopback, without repositories.
 *
 * What it serves and what it refuses: `docs/local-cloud/github.md`.
 *
 * @see https://docs.github.com/en/rest
 */
export async function startGitHub(options: GitHubOptions = {}): Promise<LocalGitHub> {
  const clock = new Clock(options.now ?? (() => new Date()));
  const now = () => new Date(clock.now() / 1000);
  const names = new Map<string, LocalRepository>();
  const find = (name: string | number) =>
    typeof name === 'number'
      ? [...names.values()].find(({ id }) => id === name)
      : names.get(name.toLowerCase());
  const tokens = new Map<string, TokenScope>();
  const rateLimit = new RateLimit(now);
  const codeload = new Codeload(find);
  const requests: SeenRequest[] = [];
  const seen =
    (host: SeenRequest['host'], listener: RequestListener): RequestListener =>
    (request, response) => {
      requests.push({ host, url: request.url ?? '', headers: request.headers });
      listener(request, response);
    };
  let intercept: Interceptor | undefined;
  let base = '';
  let ids = 0;
  const archives = await startHttpServer(0, seen('codeload', codeload.serve));
  const places = {
    get api() {
      return base;
    },
    archive: (...of: Parameters<Codeload['pathOf']>) => `http://${archives.host}${codeload.pathOf(...of)}`,
  };
  const api = serveApi({ tokens, rateLimit, find, places, intercept: () => intercept });
  const server = await startHttpServer(options.port ?? 0, seen('api', api));
  base = `http://${server.host}`;
  return {
    base,
    requests,
    get intercept() {
      return intercept;
    },
    set intercept(value) {
      intercept = value;
    },
    get downloadFault() {
      return codeload.fault;
    },
    set downloadFault(value) {
      codeload.fault = value;
    },
    get requestsPerHour() {
      return rateLimit.limit;
    },
    set requestsPerHour(value) {
      rateLimit.limit = value;
    },
    createRepository(fullName, settings = {}) {
      ids += 1;
      const repository = new LocalRepository(ids, fullName, settings, now);
      names.set(fullName.toLowerCase(), repository);
      return repository;
    },
    rename(repository, fullName) {
      names.set(fullName.toLowerCase(), repository);
      repository.fullName = fullName;
    },
    deleteRepository(repository) {
      for (const [name, known] of names) if (known === repository) names.delete(name);
    },
    allow: (token, scope) => void tokens.set(token, scope),
    revoke: (token) => void tokens.delete(token),
    advance: (seconds) => clock.advance(seconds),
    async close() {
      await Promise.all([server.close(), archives.close()]);
    },
  };
}
