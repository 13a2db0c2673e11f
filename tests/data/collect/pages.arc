filedesc://a.arc 0.0.0.0 20240501090000 text/plain 9
1 0 test


https://steppe.example/kol 192.0.2.1 20240501090000 text/html 692
HTTP/1.1 200 OK
Content-Type: text/html; charset=utf-8

<html lang="kk"><head><title>Көл</title><meta property="og:image" content="https://steppe.example/i.jpg"><script type="application/ld+json">{"@context":"https://schema.org","@type":"NewsArticle","headline":"Көл туралы","datePublished":"2024-05-01T08:00:00+05:00"}</script></head><body><article><p>Бүгін көл жағасында жиын өтті, оған ауыл тұрғындары түгел қатысты деп хабарлайды редакция. Толығырақ <a href="https://instagram.com/qaskyr_belgi">Қасқыр Белгі</a> парақшасында, @qaskyr_belgi.</p></article></body></html>
