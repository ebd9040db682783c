import { randomBytes } from 'node:crypto';
import { hour, type Micros } from '../clock.ts';
import { ApiError, notImplemented } from '../http/api-error.ts';
import { readJson } from '../http/json.ts';
import type { Answer, Call, Handler } from './call.ts';
import { checksumsOf } from './checksums.ts';
import { readContentRange } from './content-range.ts';
import { notFound } from './errors.ts';
import { readMultipart } from './multipart.ts';
import { toObjectResource } from './object.ts';
import type { StorageStore } from './store.ts';
import { chunksOf, contentOf, Upload } from './upload.ts';
import { UploadSession } from './upload-session.ts';

const sessionLife: Micros = 7 * 24 * hour;

export interface UploadCalls {
  readonly handlers: Record<string, Handler>;
  /** Gives up what is on its way. */
  close(): Promise<void>;
}

/** @see https://cloud.google.com/storage/docs/json_api/v1/objects/insert */
export function uploadCalls(store: StorageStore, url: () => string): UploadCalls {
  const sessions = new Map<string, { readonly session: UploadSession; readonly expires: Micros }>();

  const media = async ({ path, query, request }: Call): Promise<Answer> => {
    const { 'content-type': contentType, 'x-goog-hash': hash } = request.headers;
    const upload = new Upload(store, { bucket: path['bucket'] ?? '', query, body: {}, contentType });
    const content = await contentOf(store.contents.writer(), chunksOf(request));
    return { json: toObjectResource(upload.finish(content, checksumsOf(hash)), url()) };
  };

  const multipart = async ({ path, query, request }: Call): Promise<Answer> => {
    const parts = await readMultipart(request.headers['content-type'], chunksOf(request));
    const { metadata: body, contentType } = parts;
    const upload = new Upload(store, { bucket: path['bucket'] ?? '', query, body, contentType });
    const content = await contentOf(store.contents.writer(), parts.media);
    const hash = checksumsOf(request.headers['x-goog-hash']);
    return { json: toObjectResource(upload.finish(content, hash), url()) };
  };

  const start = async ({ path, query, request }: Call): Promise<Answer> => {
    const { 'x-upload-content-type': contentType, 'x-upload-content-length': length } = request.headers;
    const body = request.headers['content-type'] === undefined ? {} : await readJson(request);
    const upload = new Upload(store, {
      bucket: path['bucket'] ?? '',
      query,
      body,
      contentType: contentType === undefined ? undefined : String(contentType),
    });
    const id = randomBytes(48).toString('base64url');
    const total = length === undefined ? undefined : Number(length);
    sessions.set(id, {
      session: new UploadSession(upload, store.contents.writer(), total),
      expires: store.clock.now() + sessionLife,
    });
    const { name = String(body['name']) } = query;
    const parameters = new URLSearchParams({ uploadType: 'resumable', name, upload_id: id });
    return { headers: { location: `${url()}/upload/storage/v1/b/${path['bucket']}/o?${parameters}` } };
  };

  const find = ({ query }: Call): UploadSession => {
    const found = sessions.get(query['upload_id'] ?? '');
    if (found === undefined) throw notFound('No such upload session.');
    if (!found.session.gone && found.expires > store.clock.now()) return found.session;
    throw new ApiError(410, 'gone', 'The upload session is over.');
  };

  const resume = async (call: Call): Promise<Answer> => {
    const session = find(call);
    if (call.request.method === 'DELETE') {
      await session.abandon();
      return { status: 499 };
    }
    const object = await session.receive(
      readContentRange(call.request.headers['content-range']),
      call.request,
    );
    if (object) return { json: toObjectResource(object, url()) };
    const { persisted } = session;
    return { status: 308, headers: persisted > 0 ? { range: `bytes=0-${persisted - 1}` } : {} };
  };

  const ways: Readonly<Record<string, Handler>> = { media, multipart, resumable: start };
  return {
    handlers: {
      'objects.insert'(call) {
        const { uploadType = '', upload_id } = call.query;
        const way = upload_id === undefined ? ways[uploadType] : resume;
        if (way) return way(call);
        throw notImplemented(`the upload type ${uploadType}`);
      },
    },
    async close() {
      await Promise.all([...sessions.values()].map(({ session }) => session.abandon()));
    },
  };
}
