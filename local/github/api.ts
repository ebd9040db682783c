import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { ConnectionLost } from '../http/connection-lost.ts';
import type { Interceptor } from '../http/interceptor.ts';
import { callerOf, type TokenScope } from './access.ts';
import { bodyOf, GitHubError, isKnown, notFound, Redirect, send } from './answer.ts';
import { handlers, type Places } from './calls.ts';
import type { RateLimit } from './rate-limit.ts';
import type { LocalRepository } from './repository.ts';
import { route } from './routes.ts';

/** What the API works on. */
export interface ApiState {
  readonly tokens: ReadonlyMap<string, TokenScope>;
  readonly rateLimit: RateLimit;
  /** By name, by former name or by number. */
  readonly find: (name: string | number) => LocalRepository | undefined;
  readonly intercept: () => Interceptor | undefined;
  readonly places: Places;
}

const versions = ['2022-11-28', '2026-03-10'];

export function serveApi(state: ApiState): RequestListener {
  return (request, response) => {
    answer(state, request, response).catch((error: unknown) => {
      if (error instanceof ConnectionLost) return void response.socket?.destroy();
      const failed = error instanceof GitHubError ? error : new GitHubError(500, String(error));
      const headers = Object.fromEntries(
        Object.entries(response.getHeaders()).map(([name, value]) => [name, String(value)]),
      );
      send(response, failed.status, { ...headers, ...failed.headers }, JSON.stringify(failed));
    });
  };
}

async function answer(state: ApiState, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!request.headers['user-agent']) {
    throw new GitHubError(
      403,
      'Request forbidden by administrative rules. Please make sure your request has a User-Agent header',
    );
  }
  const version = request.headers['x-github-api-version'] ?? '2022-11-28';
  if (!versions.includes(String(version))) {
    throw new GitHubError(400, `Version "${version}" is not a supported version of the API.`);
  }
  const caller = callerOf(request, state.tokens);
  response.setHeaders(new Headers(state.rateLimit.take(caller.name)));
  const url = new URL(request.url ?? '/', state.places.api);
  const { method, repository: name, rest, tail } = route(request.method, url);
  if (method === undefined || name === undefined) throw notFound();
  const intercepted = {
    method,
    request: { repository: name, rest, ...Object.fromEntries(url.searchParams) },
  };
  await state.intercept()?.({ ...intercepted, phase: 'before' });
  const repository = state.find(name);
  const call = { repository, caller, rest, query: url.searchParams };
  const found = handlers[method]?.(call, state.places);
  await state.intercept()?.({
    ...intercepted,
    phase: 'after',
    ...(found instanceof Redirect ? {} : { answer: found as Record<string, unknown> }),
  });
  const moved = typeof name === 'string' && name.toLowerCase() !== repository?.fullName.toLowerCase();
  const redirect = moved
    ? new Redirect(301, `${state.places.api}/repositories/${repository?.id}${tail}${url.search}`)
    : found;
  if (redirect instanceof Redirect) {
    return send(response, redirect.status, { location: redirect.location });
  }
  const body = bodyOf(found);
  if (isKnown(request, body))
    return send(response, 304, { ...state.rateLimit.giveBack(caller.name), etag: body.etag });
  send(response, 200, { etag: body.etag }, body.text);
}
