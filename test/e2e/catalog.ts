import { parseMarker } from '../../shared/postgres/marker.ts';
import type { TestStack } from '../support/stack.ts';

interface Snapshot {
  readonly roles: readonly { readonly comment: string | null }[];
}

/** What a database holds that Drover could change; of roles, what all databases share. */
export async function snapshot(stack: TestStack, database: string): Promise<Snapshot> {
  const [found] = await stack.query(
    database,
    `SELECT (SELECT jsonb_agg(to_jsonb(n) || jsonb_build_object(
                      'nspowner', nspowner::regrole, 'comment', obj_description(oid)) - 'oid' ORDER BY nspname)
               FROM pg_namespace n WHERE nspname !~ '^pg_(toast_)?temp') AS schemas,
            (SELECT jsonb_agg(to_jsonb(c) || jsonb_build_object('relowner', relowner::regrole)
                      - 'oid' - 'relpages' - 'reltuples' - 'relfrozenxid' ORDER BY relname)
               FROM pg_class c WHERE relnamespace >= 16384) AS relations,
            (SELECT jsonb_agg(to_jsonb(r) || jsonb_build_object(
                      'comment', shobj_description(oid, 'pg_authid')) - 'oid' ORDER BY rolname)
               FROM pg_roles r) AS roles,
            (SELECT jsonb_agg(jsonb_build_array(roleid::regrole, member::regrole, inherit_option, set_option)
                      ORDER BY roleid::regrole::text, member::regrole::text, inherit_option, set_option)
               FROM pg_auth_members) AS memberships,
            (SELECT jsonb_agg(jsonb_build_array(defaclrole::regrole, defaclobjtype, defaclacl)
                      ORDER BY defaclrole::regrole::text, defaclobjtype, defaclacl::text)
               FROM pg_default_acl) AS defaults,
            (SELECT datacl::text FROM pg_database WHERE datname = current_database()) AS rights`,
  );
  return found as unknown as Snapshot;
}

/** The same without epochs, which count attempts. */
export function withoutEpochs({ roles, ...rest }: Snapshot) {
  return {
    ...rest,
    roles: roles.map(({ comment, ...role }) => ({
      ...role,
      marker: { ...parseMarker(comment), epoch: undefined },
    })),
  };
}
