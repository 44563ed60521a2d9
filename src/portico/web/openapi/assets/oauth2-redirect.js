"use strict";

// The last step of a login: the authorization server has sent the browser here, and the page of Swagger UI that opened
// this window wants to know what it said.
{
  const asked = window.opener.swaggerUIRedirectOauth2;
  const inFragment = /code|token|error/.test(window.location.hash);
  const text = inFragment ? window.location.hash.slice(1).replace("?", "&") : window.location.search.slice(1);
  const said = Object.create(null);
  for (const pair of text.split("&").filter(Boolean)) {
    const [name, ...value] = pair.split("=");
    said[decodeURIComponent(name)] = decodeURIComponent(value.join("="));
  }

  const {auth, redirectUrl} = asked;
  const isValid = said.state === asked.state;
  const report = (level, message) => asked.errCb({authId: auth.name, source: "auth", level, message});
  const wantsCode = ["accessCode", "authorizationCode", "authorization_code"].includes(auth.schema.get("flow"));

  if (!wantsCode || auth.code) {
    asked.callback({auth, token: {...said}, isValid, redirectUrl});
  } else {
    if (!isValid) {
      report("warning", "The authorization server has not returned the state that it was given: this may be an attack.");
    }
    if (said.code) {
      delete asked.state;
      auth.code = said.code;
      asked.callback({auth, redirectUrl});
    } else {
      const details = [said.error_description, said.error_uri && `See ${said.error_uri}`].filter(Boolean).join(" ");
      report("error", said.error ? `[${said.error}] ${details}` : "The authorization server has returned no code.");
    }
  }
  window.close();
}
