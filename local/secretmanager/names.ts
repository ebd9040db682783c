import { status } from '@grpc/grpc-js';
import { GrpcError } from '../grpc/server.ts';
import { invalidArgument, unimplemented } from './errors.ts';

/** A version as a request names it: by number, by alias, or as `latest`. */
export interface VersionReference {
  readonly secretId: string;
  readonly version: string;
}

const idCharacters = '[A-Za-z0-9_-]{1,255}';
const secretId = new RegExp(`^${idCharacters}$`);
const secretPath = new RegExp(`^secrets/(${idCharacters})$`);
const versionPath = new RegExp(`^secrets/(${idCharacters})/versions/([A-Za-z0-9_-]+)$`);

/** Names of resources, which requests may give with the project's id or its number, and answers give with its number. */
export class Names {
  readonly projectNumber: string;
  readonly #project: string;

  constructor(project: string, projectNumber: string) {
    this.#project = project;
    this.projectNumber = projectNumber;
  }

  /** Full name of a secret, as answers have it. */
  ofSecret(id: string): string {
    return `projects/${this.projectNumber}/secrets/${id}`;
  }

  /** @throws INVALID_ARGUMENT where it is no name of a project, PERMISSION_DENIED where it is one of another */
  requireProject(value: unknown): void {
    if (this.#within(value, 'Project', 'projects/*') !== '') {
      throw malformed('Project', value, 'projects/*');
    }
  }

  /** The id of a secret by its full name. */
  parseSecret(value: unknown): string {
    const format = 'projects/*/secrets/*';
    const [, id] = secretPath.exec(this.#within(value, 'Secret', format)) ?? [];
    if (id === undefined) throw malformed('Secret', value, format);
    return id;
  }

  /** The parts of a version's full name. */
  parseVersion(value: unknown): VersionReference {
    const format = 'projects/*/secrets/*/versions/*';
    const [, id, version] = versionPath.exec(this.#within(value, 'Secret Version', format)) ?? [];
    if (id === undefined || version === undefined) throw malformed('Secret Version', value, format);
    return { secretId: id, version };
  }

  /** What follows `projects/x/`. */
  #within(value: unknown, kind: string, format: string): string {
    const [, project, rest = ''] = /^projects\/([^/]+)(?:\/(.+))?$/.exec(String(value ?? '')) ?? [];
    if (project === undefined) throw malformed(kind, value, format);
    if (project !== this.#project && project !== this.projectNumber) {
      throw new GrpcError(status.PERMISSION_DENIED, `Permission denied on resource project ${project}.`);
    }
    if (/^locations(\/|$)/.test(rest)) throw unimplemented('regional secrets');
    return rest;
  }
}

/**
 * @throws INVALID_ARGUMENT
 * @see https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets/create#query-parameters
 */
export function requireSecretId(value: unknown): string {
  if (typeof value === 'string' && secretId.test(value)) return value;
  throw invalidArgument(
    `Secret ID [${value ?? ''}] must match the pattern [a-zA-Z0-9_-]+ and have 1 to 255 characters.`,
  );
}

/** @param kind such as `Secret Version` */
export function malformed(kind: string, value: unknown, format: string): GrpcError {
  return invalidArgument(
    `The provided ${kind} ID [${value ?? ''}] does not match the expected format [${format}]`,
  );
}
