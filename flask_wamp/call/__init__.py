"""What calls and publishes: ``g.wampy``, and the interface of the way out."""
