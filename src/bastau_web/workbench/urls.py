"""The addresses of the workbench; each module of views lists its own."""

from bastau_web.check_api import urls as check_api
from bastau_web.workbench.views import (
    accounts,
    appealing,
    deciding,
    failures,
    groups,
    keys,
    listing,
    pages,
    people,
    places,
    public,
    records,
    releasing,
    review,
    rules,
    search,
    service,
    single_sign_on,
)

urlpatterns = [
    *check_api.ROUTES,  # first: asked most by far, and the others are tried one by one
    *pages.ROUTES,
    *search.ROUTES,
    *groups.ROUTES,
    *rules.ROUTES,
    *places.ROUTES,
    *review.ROUTES,
    *deciding.ROUTES,
    *releasing.ROUTES,
    *appealing.ROUTES,
    *listing.ROUTES,
    *records.ROUTES,
    *public.ROUTES,
    *accounts.ROUTES,
    *single_sign_on.ROUTES,
    *people.ROUTES,
    *keys.ROUTES,
    *service.ROUTES,
]
handler400 = failures.bad_request
handler403 = failures.not_allowed
handler404 = failures.not_found
handler500 = failures.our_fault
