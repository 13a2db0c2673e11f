// A sign-in service on 127.0.0.1: node provider.js PORT REDIRECT_URI SECRET; says "ready" once it listens.
// Its own pages for development ask for a name, which becomes the subject, and for any password.
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const [port, redirectUri, secret] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: "bastau", client_secret: secret, redirect_uris: [redirectUri] }],
  pkce: { required: () => true },
  cookies: { keys: ["of these tests"] },
});
createServer(provider.callback()).listen(Number(port), "127.0.0.1", () => console.log("ready"));
