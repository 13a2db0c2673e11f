"""The addresses of the workbench; each module of views lists its own."""

from bastau_web.check_api import urls as check_api
from bastau_web.workbench.views import (
    accounts,
    appealing,
    deciding,
    failures,
    keys,
    listing,
    pages,
    public,
    records,
    releasing,
    review,
    service,
)

urlpatterns = [
    *pages.ROUTES,
    *review.ROUTES,
    *deciding.ROUTES,
    *releasing.ROUTES,
    *appealing.ROUTES,
    *listing.ROUTES,
    *records.ROUTES,
    *public.ROUTES,
    *accounts.ROUTES,
    *keys.ROUTES,
    *check_api.ROUTES,
    *service.ROUTES,
]
handler400 = failures.bad_request
handler403 = failures.not_allowed
handler404 = failures.not_found
handler500 = failures.our_fault
