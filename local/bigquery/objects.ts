import { ApiError, notImplemented } from '../http/api-error.ts';
import { invalid, notFound } from './errors.ts';

/** An object of Cloud Storage, or several where the name has a `*`. */
export interface ObjectUri {
  readonly bucket: string;
  readonly name: string;
}

/** @throws ApiError 400 */
export function readUri(uri: string): ObjectUri {
  const [, bucket, name] = /^gs:\/\/([^/*]+)\/([^*]*\*?[^*]*)$/.exec(uri) ?? [];
  if (bucket && name) return { bucket, name };
  throw invalid(`Invalid URI '${uri}'. Must be a valid Google Storage path with at most one wildcard.`);
}

export function printUri({ bucket, name }: ObjectUri): string {
  return `gs://${bucket}/${name}`;
}

/** Cloud Storage by its JSON API. @see https://cloud.google.com/storage/docs/json_api/v1/objects */
export class Objects {
  readonly #host: string | undefined;

  /** @param host `host:port`; undefined if there is none */
  constructor(host: string | undefined) {
    this.#host = host;
  }

  /** @throws ApiError 501 where there is no Cloud Storage */
  requireHost(what: string): void {
    if (this.#host === undefined) throw notImplemented(`${what} without a Cloud Storage (storageHost)`);
  }

  async write(
    { bucket, name }: ObjectUri,
    body: Uint8Array<ArrayBuffer>,
    signal: AbortSignal,
  ): Promise<void> {
    const query = new URLSearchParams({ uploadType: 'media', name });
    const path = `upload/storage/v1/b/${encodeURIComponent(bucket)}/o?${query}`;
    const headers = { 'content-type': 'application/octet-stream' };
    await this.#call({ bucket, name }, path, { method: 'POST', headers, body, signal });
  }

  async read({ bucket, name }: ObjectUri, signal: AbortSignal): Promise<Buffer> {
    const path = `storage/v1/b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(name)}?alt=media`;
    const response = await this.#call({ bucket, name }, path, { signal });
    return Buffer.from(await response.arrayBuffer());
  }

  /**
   * All objects that a URI stands for.
   *
   * @throws ApiError 404 where there is none
   */
  async match(uri: ObjectUri, signal: AbortSignal): Promise<readonly ObjectUri[]> {
    const { bucket, name } = uri;
    const [prefix = '', suffix] = name.split('*');
    if (suffix === undefined) return [uri];
    const names = (await this.#list(uri, prefix, signal)).filter(
      (one) => one.endsWith(suffix) && one.length >= prefix.length + suffix.length,
    );
    if (names.length === 0) throw notFound(`URI ${printUri(uri)}`);
    return names.map((one) => ({ bucket, name: one }));
  }

  async #list(uri: ObjectUri, prefix: string, signal: AbortSignal): Promise<readonly string[]> {
    const names: string[] = [];
    let pageToken: string | undefined;
    do {
      const query = new URLSearchParams({ prefix, ...(pageToken && { pageToken }) });
      const path = `storage/v1/b/${encodeURIComponent(uri.bucket)}/o?${query}`;
      const page = (await (await this.#call(uri, path, { signal })).json()) as ObjectPage;
      names.push(...(page.items ?? []).map(({ name }) => name));
      pageToken = page.nextPageToken;
    } while (pageToken);
    return names;
  }

  async #call(uri: ObjectUri, path: string, request: RequestInit): Promise<Response> {
    const response = await fetch(`http://${this.#host}/${path}`, request);
    if (response.ok) return response;
    const said = await response.text();
    if (response.status === 404) throw notFound(`URI ${printUri(uri)}`);
    if (response.status === 403) throw new ApiError(403, 'accessDenied', `Access Denied: ${printUri(uri)}`);
    throw new ApiError(503, 'backendError', `Cloud Storage answered ${response.status}: ${said}`);
  }
}

interface ObjectPage {
  readonly items?: readonly { readonly name: string }[];
  readonly nextPageToken?: string;
}
