import { randomBytes } from 'node:crypto';
import { ApiError } from '../http/api-error.ts';

/** Access tokens and whose they are. Whoever reaches this server on loopback may be anyone. */
export interface Tokens {
  /** RFC 8693, section 2. */
  exchange(request: URLSearchParams): Record<string, unknown>;
  /** @throws ApiError 401 */
  principalOf(token: string | undefined): string;
}

export function createTokens(): Tokens {
  const principals = new Map<string, string>();
  return {
    exchange(request) {
      const token = `local-${randomBytes(16).toString('hex')}`;
      principals.set(token, request.get('subject_token') ?? '');
      return {
        access_token: token,
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        token_type: 'Bearer',
        expires_in: 3600,
      };
    },
    principalOf(token) {
      const principal = principals.get(token ?? '');
      if (principal === undefined) throw new ApiError(401, 'authError', 'Invalid Credentials');
      return principal;
    },
  };
}

/**
 * What a file that GOOGLE_APPLICATION_CREDENTIALS names has to hold, so that Google's libraries act as a principal at a
 * local Admin API: an `external_account` whose tokens that server issues.
 *
 * @param url of the server's root
 */
export function credentialsAt(url: string, principal: string): string {
  return JSON.stringify({
    type: 'external_account',
    // One with a project's number would have Google's library look the project's name up at Google.
    audience: '//iam.googleapis.com/locations/global/workforcePools/local/providers/local',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `${url}/token`,
    credential_source: {
      url: `${url}/subject-token/${encodeURIComponent(principal)}`,
      format: { type: 'json', subject_token_field_name: 'subject_token' },
    },
  });
}
