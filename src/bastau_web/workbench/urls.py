"""The addresses of the workbench."""

from django.urls import path

from bastau_web.workbench.views import accounts, failures, pages, service

urlpatterns = [
    path("", pages.today, name="today"),
    path("search", pages.search, name="search"),
    path("narrative/<slug:narrative_id>", pages.narrative, name="narrative"),
    path("post/<slug:ref>", pages.post, name="post"),
    path("source/<path:source>", pages.source, name="source"),
    path("sources", pages.sources, name="sources"),
    path("set-up", accounts.set_up, name="set-up"),
    path("sign-in", accounts.sign_in, name="sign-in"),
    path("sign-in/code", accounts.sign_in_code, name="sign-in-code"),
    path("sign-out", accounts.sign_out, name="sign-out"),
    path("account", accounts.account, name="account"),
    path("account/language", accounts.set_language, name="set-language"),
    path("account/password", accounts.set_password, name="set-password"),
    path("account/sessions", accounts.end_session, name="end-session"),
    path("account/second-factor", accounts.set_second_factor, name="second-factor"),
    path("health", service.health, name="health"),
    path("assets/<slug:digest>/<str:name>", service.asset, name="asset"),
]
handler400 = failures.bad_request
handler403 = failures.not_allowed
handler404 = failures.not_found
handler500 = failures.our_fault
