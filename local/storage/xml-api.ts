import type { IncomingMessage, RequestListener } from 'node:http';
import { ApiError } from '../http/api-error.ts';
import type { Interceptor } from '../http/interceptor.ts';
import type { Answer } from './call.ts';
import { broken, send, sendText } from './send.ts';
import { verifySignedUrl } from './signed-url.ts';
import type { StorageStore } from './store.ts';
import { XmlError, xmlNotImplemented } from './xml-error.ts';
import { type XmlCall, xmlMethods } from './xml-methods.ts';

/** The codes of what both APIs refuse in the same way. */
const codes: Readonly<Record<number, string>> = {
  400: 'InvalidArgument',
  403: 'AccessDenied',
  404: 'NoSuchKey',
  412: 'PreconditionFailed',
  416: 'InvalidRange',
  429: 'SlowDown',
  501: 'NotImplemented',
  503: 'ServiceUnavailable',
};

/**
 * Answers the requests of the XML API, as far as signed URLs go: one object at a time.
 *
 * @param signers public keys in PEM by the service accounts' addresses
 * @see https://cloud.google.com/storage/docs/xml-api/reference-methods
 */
export function serveXmlApi(
  store: StorageStore,
  signers: Readonly<Record<string, string>>,
  intercept: () => Interceptor | undefined,
): RequestListener {
  const methods = xmlMethods(store);
  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const call = readCall(request);
    verifySignedUrl(request, call.url, signers, store.clock.now());
    const method = methods[request.method ?? ''];
    if (method === undefined) throw xmlNotImplemented(`${request.method} Object`);
    const { bucket, object } = call;
    const said = { method: `${request.method} Object`, request: { bucket, object } };
    await intercept()?.({ ...said, phase: 'before' });
    const found = await method(call);
    await intercept()?.({ ...said, phase: 'after' });
    return found;
  };
  return (request, response) => {
    answer(request)
      .then((found) => send(response, found))
      .catch((error: unknown) => {
        if (broken(response, error)) return;
        const refused = asXmlError(error);
        if (refused.httpStatus === 304) response.writeHead(304).end();
        else sendText(response, refused.httpStatus, 'application/xml; charset=UTF-8', refused.toXml());
      });
  };
}

function readCall(request: IncomingMessage): XmlCall {
  const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
  const [, bucket = '', object = ''] = /^\/([^/]*)\/(.+)$/.exec(url.pathname) ?? [];
  if (object === '') throw xmlNotImplemented(`${request.method} ${url.pathname}`);
  return { bucket, object: decodeURIComponent(object), url, request };
}

function asXmlError(error: unknown): XmlError {
  if (error instanceof XmlError) return error;
  if (!(error instanceof ApiError)) return new XmlError(500, 'InternalError', String(error));
  return new XmlError(error.httpStatus, codes[error.httpStatus] ?? 'InternalError', error.message);
}
