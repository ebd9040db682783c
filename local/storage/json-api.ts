import type { IncomingMessage, RequestListener } from 'node:http';
import { ApiError, notImplemented } from '../http/api-error.ts';
import type { Interceptor } from '../http/interceptor.ts';
import type { Answer, Call, Handler } from './call.ts';
import { readCall } from './routes.ts';
import { broken, send, sendText } from './send.ts';

/**
 * Answers the requests of the JSON API.
 *
 * @param handlers by the methods' names in the API's reference
 */
export function serveJsonApi(
  handlers: Readonly<Record<string, Handler>>,
  intercept: () => Interceptor | undefined,
): RequestListener {
  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const call = await readCall(request);
    const handler = handlers[call.method];
    if (handler === undefined) throw notImplemented(call.method);
    const said = { method: call.method, request: saidBy(call) };
    await intercept()?.({ ...said, phase: 'before' });
    // A copy, which can be changed without changing what is known here.
    const { json, ...found } = await handler(call);
    const shown = json && structuredClone(json);
    await intercept()?.({ ...said, phase: 'after', ...(shown && { answer: shown }) });
    return { ...found, ...(shown && { json: shown }) };
  };
  return (request, response) => {
    answer(request)
      .then((found) => send(response, found))
      .catch((error: unknown) => {
        if (broken(response, error)) return;
        const refused = error instanceof ApiError ? error : new ApiError(500, 'backendError', String(error));
        const { httpStatus, message } = refused;
        // A client that wanted bytes gets a text, as from the service.
        const wantsBytes = /[?&]alt=media\b/.test(request.url ?? '');
        if (httpStatus === 304) response.writeHead(httpStatus).end();
        else if (wantsBytes) sendText(response, httpStatus, 'text/html; charset=UTF-8', message);
        else sendText(response, httpStatus, 'application/json; charset=UTF-8', JSON.stringify(refused));
      });
  };
}

function saidBy({ path, query, body }: Call): Readonly<Record<string, unknown>> {
  return { ...body, ...query, ...path };
}
