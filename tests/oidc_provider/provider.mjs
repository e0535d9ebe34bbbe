// An identity provider on 127.0.0.1 for the tests: provider.mjs SETTINGS, where SETTINGS is JSON with
// port, redirect (of the one client), secret, people {name: {claims}}, keyId. Each start makes new signing keys.
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const settings = JSON.parse(process.argv[2]);
const issuer = `http://127.0.0.1:${settings.port}`;
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = { ...privateKey.export({ format: 'jwk' }), kid: settings.keyId, alg: 'RS256', use: 'sig' };

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'lading',
    client_secret: settings.secret,
    redirect_uris: [settings.redirect],
    grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
    response_types: ['code'],
  }],
  jwks: { keys: [key] },
  cookies: { keys: ['only-for-tests'] },
  claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
  scopes: ['openid', 'profile', 'groups'],
  features: { devInteractions: { enabled: true }, deviceFlow: { enabled: true } },
  findAccount: (_ctx, id) => (settings.people[id]
    ? { accountId: id, claims: () => ({ sub: id, ...settings.people[id] }) }
    : undefined),
  pkce: { required: () => true },
  ttl: { Interaction: 600, Session: 600, Grant: 600, IdToken: 600, AccessToken: 600, DeviceCode: 600 },
});
provider.listen(settings.port, '127.0.0.1', () => console.log('ready'));
